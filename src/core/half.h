#pragma once
// bfloat16 and float16 from and to float32 and float64, bit by bit. Without branches: the compiler
// makes vector loops of them. The caller may round otherwise than to nearest, or have subnormal
// numbers count as 0: floats are computed with only where the result is exact, and it and what it
// comes from are normal numbers.

#include <bit>
#include <cstdint>

namespace foveal {

/// `a` where `first` is 1, `b` where it is 0, in bits of one size. As a branch it would keep loops
/// from becoming vector loops.
template <class Bits>
Bits select(Bits first, Bits a, Bits b) {
  return (a & (Bits{0} - first)) | (b & (first - Bits{1}));
}

/// The same.
inline std::uint32_t select(bool first, std::uint32_t a, std::uint32_t b) {
  return select(static_cast<std::uint32_t>(first), a, b);
}

inline float float_of_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Exact for subnormal numbers too.
inline double double_of_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint64_t sign = static_cast<std::uint64_t>(bits & 0x80000000) << 32;
  const auto magnitude = static_cast<std::int32_t>(bits & 0x7FFFFFFF);
  const double subnormal = static_cast<double>(magnitude) * 0x1p-149;
  const auto wide = static_cast<double>(std::bit_cast<float>(magnitude));
  const auto is_subnormal = static_cast<std::uint64_t>(std::int64_t{magnitude < 0x00800000});
  const auto result = select(is_subnormal, std::bit_cast<std::uint64_t>(subnormal),
                             std::bit_cast<std::uint64_t>(wide));
  return std::bit_cast<double>(result | sign);
}

inline float float_of_float16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::int32_t magnitude = bits & 0x7FFF;
  const std::uint32_t moved = static_cast<std::uint32_t>(magnitude) << 13;
  const float subnormal = static_cast<float>(magnitude) * 0x1p-24F;
  std::uint32_t result = moved + (112U << 23);
  result = select(magnitude < 0x400, std::bit_cast<std::uint32_t>(subnormal), result);
  result = select(magnitude >= 0x7C00, moved | 0x7F800000, result);
  return std::bit_cast<float>(result | sign);
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
  // In units of 2^-37, 13 bits more than a float16's; the last one is set where bits are cut off.
  const std::uint32_t small = select(magnitude < 0x38800000, field, 0U);
  const float units = std::bit_cast<float>(small) * 0x1p37F;
  const auto whole = static_cast<std::int32_t>(units);
  const auto kept =
      static_cast<std::uint32_t>(whole) | select(static_cast<float>(whole) != units, 1U, 0U);
  const std::uint32_t subnormal = (kept + 0xFFF + (kept >> 13 & 1)) >> 13;
  std::uint32_t result = select(magnitude < 0x38800000, subnormal, normal);
  result = select(magnitude >= 0x47800000, 0x7C00U, result);
  result = select(magnitude > 0x7F800000, 0x7E00U, result);
  return static_cast<std::uint16_t>(result | (bits >> 16 & 0x8000));
}

/// A float32 that rounds to any 16-bit float as `value` itself does: where 24 bits don't hold it,
/// the neighbour whose last bit is set (Boldo and Melquiond, "Emulation of FMA and Correctly
/// Rounded Sums: Proved Algorithms Using Rounding to Odd", 2008).
inline float rounded_to_odd(double value) {
  const double size = __builtin_fabs(value);
  const auto nearest = static_cast<float>(size);
  // Where a float32 is subnormal: beside 2^-97 a float64's last bit is that of the smallest one.
  const double beside = size + 0x1p-97;
  const auto is_small = static_cast<std::uint64_t>(std::int64_t{size < 0x1p-126});
  const auto back =
      std::bit_cast<double>(select(is_small, std::bit_cast<std::uint64_t>(beside - 0x1p-97),
                                   std::bit_cast<std::uint64_t>(static_cast<double>(nearest))));
  const auto rounded =
      static_cast<std::uint32_t>(select(is_small, std::bit_cast<std::uint64_t>(beside),
                                        std::uint64_t{std::bit_cast<std::uint32_t>(nearest)}));
  const auto away = static_cast<std::uint32_t>(std::int64_t{back > size});
  const auto inexact = static_cast<std::uint32_t>(std::int64_t{back != size});
  const auto sign = static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(value) >> 32);
  return std::bit_cast<float>((rounded - away) | inexact | (sign & 0x80000000));
}

}  // namespace foveal
