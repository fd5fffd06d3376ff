#pragma once
// bfloat16 and float16 to float32 and back, to nearest even.

#include "kernels/storage.h"

namespace foveal {
namespace {

inline FloatBits chosen(FloatBits first, FloatBits a, FloatBits b) {
  return (a & first) | (b & ~first);
}

/// NaN stays NaN, with its sign.
inline FloatBits rounded(BrainBits, FloatVector value) {
  using Unsigned = uint32_t __attribute__((vector_size(kRegisterBytes)));
  const FloatBits bits = (FloatBits)value, magnitude = bits & 0x7fffffff;
  const FloatBits number =
      (FloatBits)(((Unsigned)bits + 0x7fff + ((Unsigned)bits >> 16 & 1)) >> 16);
  return chosen(magnitude > 0x7f800000, ((bits >> 16) & 0x8000) | 0x7fc0, number);
}

/// The same; what is too large becomes infinity.
inline FloatBits rounded(HalfBits, FloatVector value) {
  const FloatBits bits = (FloatBits)value, magnitude = bits & 0x7fffffff;
  // Where it is no number, or too large, this overflows; it is not chosen then.
  using Unsigned = uint32_t __attribute__((vector_size(kRegisterBytes)));
  const Unsigned shifted = (Unsigned)magnitude - (112u << 23);
  const FloatBits normal = (FloatBits)((shifted + 0xfff + ((Unsigned)magnitude >> 13 & 1)) >> 13);
  // Beside 0.5 a float32's last bit is that of a subnormal float16.
  const FloatBits subnormal = (FloatBits)((FloatVector)magnitude + 0.5f) - 0x3f000000;
  FloatBits result = chosen(magnitude < 0x38800000, subnormal, normal);
  result = chosen(magnitude >= 0x47800000, FloatBits{} + 0x7c00, result);
  result = chosen(magnitude > 0x7f800000, FloatBits{} + 0x7e00, result);
  return result | ((bits >> 16) & 0x8000);
}

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
  return __builtin_convertvector(rounded(S{}, load(from)), ShortBits);
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
