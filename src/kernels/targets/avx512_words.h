#pragma once
// AVX-512 (F, BW, DQ, VL): 32 registers of 64 bytes.

#include <immintrin.h>
#include <stdint.h>

#define FOVEAL_VECTOR_REGISTER "+v"

namespace foveal {
namespace {

constexpr int kRegisterBytes = 64;
constexpr int kQueryVectors = 4;  // by 4 keys: 16 sums, 4 vectors of queries, 1 key of 32 registers

/// The larger one; `b` where either is NaN.
template <class V>
inline V larger(V a, V b) {
  if constexpr (sizeof(a[0]) == sizeof(float)) {
    return (V)_mm512_max_ps((__m512)a, (__m512)b);
  } else {
    return (V)_mm512_max_pd((__m512d)a, (__m512d)b);
  }
}

constexpr bool kScalesByPowers = true;

/// Rounded to a whole number, float32.
template <class V>
inline V whole_part(V x) {
  return (V)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/// x * 2^power, power a whole number, float32.
template <class V>
inline V times_power(V x, V power) {
  return (V)_mm512_scalef_ps((__m512)x, (__m512)power);
}

/// Whether a bit is set in any lane.
template <class V>
inline bool any(V lanes) {
  const __m512i bits = (__m512i)lanes;
  return _mm512_test_epi32_mask(bits, bits) != 0;
}

}  // namespace
}  // namespace foveal
