#pragma once
// bfloat16 and float16 from and to float32, bit by bit. Without branches: the compiler makes vector
// loops of them.

#include <bit>
#include <cstdint>

namespace foveal {

/// `a` where `first` holds, else `b`. As a branch it would keep loops from becoming vector loops.
inline std::uint32_t select(bool first, std::uint32_t a, std::uint32_t b) {
  const std::uint32_t mask = 0U - static_cast<std::uint32_t>(first);
  return (a & mask) | (b & ~mask);
}

inline float float_of_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// The exponent of a float16 moves by a multiplication, which also makes subnormals normal.
inline float float_of_float16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t magnitude = static_cast<std::uint32_t>(bits & 0x7FFF) << 13;
  const auto scaled = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112F);
  const bool finite = static_cast<std::int32_t>(magnitude) < 0x0F800000;
  return std::bit_cast<float>(select(finite, scaled, magnitude | 0x7F800000) | sign);
}

/// To nearest, ties to even. NaN stays NaN, with its sign.
inline std::uint16_t bfloat16_of_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  const std::uint32_t nan = (bits >> 16 & 0x8000) | 0x7FC0;
  const auto magnitude = static_cast<std::int32_t>(bits & 0x7FFFFFFF);
  return static_cast<std::uint16_t>(select(magnitude > 0x7F800000, nan, rounded));
}

/// The same; what is too large becomes infinity.
inline std::uint16_t float16_of_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto magnitude = static_cast<std::int32_t>(bits & 0x7FFFFFFF);
  const auto field = static_cast<std::uint32_t>(magnitude);
  const std::uint32_t normal = (field + 0xFFF + (field >> 13 & 1) - (112U << 23)) >> 13;
  // Beside 0.5 a float32's last bit is that of a subnormal float16.
  const float beside = std::bit_cast<float>(magnitude) + 0.5F;
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(beside) - 0x3F000000;
  std::uint32_t result = select(magnitude < 0x38800000, subnormal, normal);
  result = select(magnitude >= 0x47800000, 0x7C00, result);
  result = select(magnitude > 0x7F800000, 0x7E00, result);
  return static_cast<std::uint16_t>(result | (bits >> 16 & 0x8000));
}

/// A float32 that rounds to any 16-bit float as `value` itself does: where 24 bits don't hold it,
/// the neighbour whose last bit is set (Boldo and Melquiond, "Emulation of FMA and Correctly
/// Rounded Sums: Proved Algorithms Using Rounding to Odd", 2008).
inline float rounded_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  const double back = static_cast<double>(nearest);
  const double size = __builtin_fabs(value), back_size = __builtin_fabs(back);
  const auto away = static_cast<std::uint32_t>(std::int64_t{back_size > size});
  const auto inexact = static_cast<std::uint32_t>(std::int64_t{back_size != size});
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(nearest) - away) | inexact);
}

}  // namespace foveal
