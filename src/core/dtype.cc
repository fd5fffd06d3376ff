#include "foveal/dtype.h"

#include <algorithm>
#include <bit>

namespace foveal {
namespace {

/// An IEEE-like format of 16 bits: sign, exponent, fraction.
struct Format {
  int exponent_bits;
  int fraction_bits;
};
constexpr Format kBFloat16{8, 7};
constexpr Format kFloat16{5, 10};

/// The bits of the number nearest to `value`, ties to even. Works on the float64 itself, so it
/// rounds once; a float32 is a float64 exactly.
std::uint16_t encode(double value, Format format) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint64_t sign = bits >> 63 << 15;
  const std::uint64_t magnitude = bits & ~(std::uint64_t{1} << 63);
  const std::uint64_t infinity = ((std::uint64_t{1} << format.exponent_bits) - 1)
                                 << format.fraction_bits;
  if (magnitude > std::uint64_t{0x7FF} << 52) {
    const std::uint64_t quiet = std::uint64_t{1} << (format.fraction_bits - 1);
    return static_cast<std::uint16_t>(sign | infinity | quiet);
  }

  const int exponent = static_cast<int>(magnitude >> 52) - 1023;
  const std::uint64_t fraction = magnitude & ((std::uint64_t{1} << 52) - 1);
  const std::uint64_t significand = fraction | (exponent > -1023 ? std::uint64_t{1} << 52 : 0);

  // Below the lowest exponent of a normal number, a subnormal keeps fewer bits.
  const int lowest = 2 - (1 << (format.exponent_bits - 1));
  const int dropped_bits = 52 - format.fraction_bits + std::max(0, lowest - exponent);
  if (dropped_bits > 53) return static_cast<std::uint16_t>(sign);

  std::uint64_t kept = significand >> dropped_bits;
  const std::uint64_t rest = significand & ((std::uint64_t{1} << dropped_bits) - 1);
  const std::uint64_t half = std::uint64_t{1} << (dropped_bits - 1);
  if (rest > half || (rest == half && kept % 2 == 1)) ++kept;

  // `kept` holds the leading 1 of a normal number, which counts the exponent field up by one; a
  // carry out of the fraction does the same.
  const auto steps = static_cast<std::uint64_t>(std::max(exponent, lowest) - lowest);
  const std::uint64_t encoded = (steps << format.fraction_bits) + kept;
  return static_cast<std::uint16_t>(sign | std::min(encoded, infinity));
}

}  // namespace

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

BFloat16::BFloat16(float value) : BFloat16(static_cast<double>(value)) {}
BFloat16::BFloat16(double value) : bits(encode(value, kBFloat16)) {}
BFloat16::operator float() const {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
BFloat16::operator double() const { return static_cast<double>(static_cast<float>(*this)); }

Float16::Float16(float value) : Float16(static_cast<double>(value)) {}
Float16::Float16(double value) : bits(encode(value, kFloat16)) {}
Float16::operator float() const {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1F;
  const std::uint32_t fraction = bits & 0x3FF;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign == 0 ? magnitude : -magnitude;
  }
  // float32 has 112 more exponents below 1; infinity and NaN have the highest field in both.
  const std::uint32_t field = exponent == 0x1F ? 0xFF : exponent + 112;
  return std::bit_cast<float>(sign | field << 23 | fraction << 13);
}
Float16::operator double() const { return static_cast<double>(static_cast<float>(*this)); }

}  // namespace foveal
