#pragma once
// Elements as they lie in memory, and what they widen to in registers.

#include "kernels/simd.h"

namespace foveal {
namespace {

/// The bits of a bfloat16 and of a float16.
struct BrainBits {
  uint16_t bits;
};
struct HalfBits {
  uint16_t bits;
};

using ShortBits = uint16_t __attribute__((vector_size(kRegisterBytes / 2)));

inline FloatVector widened(BrainBits, ShortBits bits) {
  return (FloatVector)(__builtin_convertvector(bits, FloatBits) << 16);
}

/// The exponent of a float16 moves by a multiplication, which also makes subnormals normal.
inline FloatVector widened(HalfBits, ShortBits bits) {
  const FloatBits wide = __builtin_convertvector(bits, FloatBits);
  const FloatBits magnitude = (wide & 0x7fff) << 13;
  const FloatBits scaled = (FloatBits)((FloatVector)magnitude * 0x1p112f);
  const FloatBits finite = magnitude < 0x0f800000;
  const FloatBits number = (scaled & finite) | ((magnitude | 0x7f800000) & ~finite);
  return (FloatVector)(number | ((wide & 0x8000) << 16));
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
