#pragma once
// bfloat16 and float16 to float32 and back, to nearest even.

#include "kernels/halves/storage.h"

namespace foveal {
namespace {

/// NaN stays NaN, with its sign.
inline FloatBits rounded(BFloat16Bits, FloatVector value) {
  using Unsigned = uint32_t __attribute__((vector_size(kRegisterBytes)));
  const FloatBits bits = (FloatBits)value, magnitude = bits & 0x7fffffff;
  const FloatBits number =
      (FloatBits)(((Unsigned)bits + 0x7fff + ((Unsigned)bits >> 16 & 1)) >> 16);
  return chosen(magnitude > 0x7f800000, ((bits >> 16) & 0x8000) | 0x7fc0, number);
}

/// The same; what is too large becomes infinity.
inline FloatBits rounded(Float16Bits, FloatVector value) {
  const FloatBits bits = (FloatBits)value, magnitude = bits & 0x7fffffff;
  // Where it is no number, or too large, this overflows; it is not chosen then.
  using Unsigned = uint32_t __attribute__((vector_size(kRegisterBytes)));
  const Unsigned shifted = (Unsigned)magnitude - (112u << 23);
  const FloatBits normal = (FloatBits)((shifted + 0xfff + ((Unsigned)magnitude >> 13 & 1)) >> 13);
  // In units of 2^-37, 13 bits more than a float16's; the last one is set where bits are cut off.
  const FloatBits is_small = magnitude < 0x38800000;
  const FloatVector units = (FloatVector)(magnitude & is_small) * 0x1p37f;
  const FloatBits whole = __builtin_convertvector(units, FloatBits);
  const FloatBits cut_off = __builtin_convertvector(whole, FloatVector) != units;
  const FloatBits kept = whole | (cut_off & 1);
  const FloatBits subnormal = (kept + 0xfff + (kept >> 13 & 1)) >> 13;
  FloatBits result = chosen(is_small, subnormal, normal);
  result = chosen(magnitude >= 0x47800000, FloatBits{} + 0x7c00, result);
  result = chosen(magnitude > 0x7f800000, FloatBits{} + 0x7e00, result);
  return result | ((bits >> 16) & 0x8000);
}

template <class S>
inline ShortBits short_bits(S, FloatVector value) {
  return __builtin_convertvector(rounded(S{}, value), ShortBits);
}

template <class V>
inline ShortBits float16_of_vector(V value) {
  if constexpr (kConvertsFloat16) {
    const FloatBits bits = (FloatBits)value, magnitude = bits & 0x7fffffff;
    const FloatBits nan = (bits & ~0x7fffffff) | 0x7fc00000;  // the instruction keeps more of it
    return narrowed_float16<ShortBits>((V)chosen(magnitude > 0x7f800000, nan, bits));
  } else {
    return __builtin_convertvector(rounded(Float16Bits{}, value), ShortBits);
  }
}

inline ShortBits short_bits(Float16Bits, FloatVector value) { return float16_of_vector(value); }

template <class S>
void widen(const uint16_t* from, int64_t count, float* to) {
  const S* const halves = (const S*)from;
  int64_t i = 0;
  for (; i + kLanes<float> <= count; i += kLanes<float>)
    store(to + i, load_wide<float>(halves + i));
  if (i == count) return;
  float some[kLanes<float>];
  store(some, load_wide<float>(halves + i, count - i));
  for (int64_t n = 0; i + n < count; ++n) to[i + n] = some[n];
}

template <class S>
inline ShortBits narrowed(const float* from) {
  return short_bits(S{}, load(from));
}

template <class S>
void narrow(const float* from, int64_t count, uint16_t* to) {
  int64_t i = 0;
  for (; i + kLanes<float> <= count; i += kLanes<float>) {
    const ShortBits bits = narrowed<S>(from + i);
    __builtin_memcpy(to + i, &bits, sizeof bits);
  }
  if (i == count) return;
  float some[kLanes<float>] = {};
  for (int64_t n = 0; i + n < count; ++n) some[n] = from[i + n];
  const ShortBits bits = narrowed<S>(some);
  for (int64_t n = 0; i + n < count; ++n) to[i + n] = bits[n];
}

}  // namespace
}  // namespace foveal
