#pragma once
// The types of numbers a tensor can hold, named as NumPy and PyTorch name them.

#include <cstddef>
#include <cstdint>
#include <string>

#pragma GCC visibility push(default)
namespace foveal {

enum class DType { float32, float64, bfloat16, float16, int64, boolean };

/// Bytes of one element.
std::size_t size_of(DType dtype);

/// "float32", "float64", "bfloat16", "float16", "int64" or "bool".
std::string to_string(DType dtype);

/// True for float32, float64, bfloat16 and float16.
bool is_floating(DType dtype);

/// Brain floating point: the upper half of a float32. Conversions round to nearest, ties to even,
/// straight from the source type (a float64 is not rounded twice). NaN stays NaN.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(float value);
  explicit BFloat16(double value);
  explicit operator float() const;
  explicit operator double() const;
};

/// IEEE 754 binary16. Conversions as for BFloat16; overflow gives infinity; subnormals are kept.
struct Float16 {
  std::uint16_t bits = 0;

  Float16() = default;
  explicit Float16(float value);
  explicit Float16(double value);
  explicit operator float() const;
  explicit operator double() const;
};

/// The DType of a C++ element type: dtype_of<float>() == DType::float32. Defined for float, double,
/// BFloat16, Float16, std::int64_t and bool.
template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::float32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::float64;
}
template <>
constexpr DType dtype_of<BFloat16>() {
  return DType::bfloat16;
}
template <>
constexpr DType dtype_of<Float16>() {
  return DType::float16;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::int64;
}
template <>
constexpr DType dtype_of<bool>() {
  return DType::boolean;
}

}  // namespace foveal
#pragma GCC visibility pop
