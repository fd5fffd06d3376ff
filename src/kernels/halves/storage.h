#pragma once
// Elements as they lie in memory, and what they widen to in registers.

#include "kernels/simd.h"

namespace foveal {
namespace {

/// The bits of a bfloat16 and of a float16.
struct BFloat16Bits {
  uint16_t bits;
};
struct Float16Bits {
  uint16_t bits;
};

using ShortBits = uint16_t __attribute__((vector_size(kRegisterBytes / 2)));

inline FloatBits chosen(FloatBits first, FloatBits a, FloatBits b) {
  return (a & first) | (b & ~first);
}

/// What an element says, where one is enough.
inline float number_of(float number) { return number; }
inline double number_of(double number) { return number; }
inline float number_of(BFloat16Bits element) {
  const uint32_t wide = static_cast<uint32_t>(element.bits) << 16;
  float number;
  __builtin_memcpy(&number, &wide, sizeof number);
  return number;
}

inline FloatVector widened(BFloat16Bits, ShortBits bits) {
  return (FloatVector)(zero_extended<FloatBits>(bits) << 16);
}

/// Exact whatever the caller's rounding is, and where subnormal numbers count as 0 too: what floats
/// are computed with is normal (core/half.h).
template <class V>
inline V float_of_float16(ShortBits bits) {
  if constexpr (kConvertsFloat16) {
    return widened_float16<V>(bits);
  } else {
    const FloatBits wide = zero_extended<FloatBits>(bits);
    const FloatBits magnitude = wide & 0x7fff, moved = magnitude << 13;
    const FloatBits subnormal = (FloatBits)(__builtin_convertvector(magnitude, V) * 0x1p-24f);
    FloatBits number = chosen(magnitude < 0x400, subnormal, moved + (112 << 23));
    number = chosen(magnitude >= 0x7c00, moved | 0x7f800000, number);
    return (V)(number | ((wide & 0x8000) << 16));
  }
}

inline FloatVector widened(Float16Bits, ShortBits bits) {
  return float_of_float16<FloatVector>(bits);
}

/// A vector of numbers from memory of any alignment.
template <class T, class S>
inline Vector<T> load_wide(const S* from) {
  if constexpr (sizeof(S) == sizeof(T)) {
    return load(from);
  } else {
    ShortBits bits;
    __builtin_memcpy(&bits, from, sizeof bits);
    return widened(S{}, bits);
  }
}

/// The first `count` (less than a vector) numbers; the others are 0.
template <class T, class S>
inline Vector<T> load_wide(const S* from, int64_t count) {
  S numbers[kLanes<T>] = {};
  for (int64_t n = 0; n < count; ++n) numbers[n] = from[n];
  return load_wide<T>(numbers);
}

}  // namespace
}  // namespace foveal
