#include "foveal/dtype.h"

#include "core/half.h"

namespace foveal {
std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return 4;
    case DType::float64:
    case DType::int64:
      return 8;
    case DType::bfloat16:
    case DType::float16:
      return 2;
    case DType::boolean:
      return 1;
  }
  return 0;
}

std::string to_string(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::bfloat16:
      return "bfloat16";
    case DType::float16:
      return "float16";
    case DType::int64:
      return "int64";
    case DType::boolean:
      return "bool";
  }
  return "unknown";
}

bool is_floating(DType dtype) { return dtype != DType::int64 && dtype != DType::boolean; }

BFloat16::BFloat16(float value) : bits(bfloat16_of_float(value)) {}
BFloat16::BFloat16(double value) : bits(bfloat16_of_float(rounded_to_odd(value))) {}
BFloat16::operator float() const { return float_of_bfloat16(bits); }
BFloat16::operator double() const { return double_of_float(static_cast<float>(*this)); }

Float16::Float16(float value) : bits(float16_of_float(value)) {}
Float16::Float16(double value) : bits(float16_of_float(rounded_to_odd(value))) {}
Float16::operator float() const { return float_of_float16(bits); }
Float16::operator double() const { return static_cast<double>(static_cast<float>(*this)); }

}  // namespace foveal
