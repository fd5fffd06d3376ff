#pragma once
// AVX-512 (F, BW, DQ, VL): 32 registers of 64 bytes.

#include <immintrin.h>
#include <stdint.h>

#define FOVEAL_VECTOR_REGISTER "+v"

namespace foveal {
namespace {

constexpr int kRegisterBytes = 64;
constexpr int kQueryVectors = 4;  // by 4 keys: 16 sums, 4 vectors of queries, 1 key of 32 registers
constexpr bool kFusesProducts = true;
constexpr bool kWeighsBetween = true;      // registers are left beside the sums
constexpr int64_t kKeptBytes = INT64_MAX;  // of a head's K and V, that a cache is taken to hold
// Rows of V that a decode asks for ahead. Sapphire Rapids, of read bandwidth: float32 70 -> 78 %,
// bfloat16 47 -> 57 %, float16 54 -> 64 %.
constexpr int64_t kValuesAhead = 16;
constexpr int kWidenedKeysTogether = 1;  // of a decode

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

/// x minus the whole number at or below it, float32; 0 where x is infinite.
template <class V>
inline V above_whole(V x) {
  return (V)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

/// x * 2^floor(power), float32.
template <class V>
inline V times_power(V x, V power) {
  return (V)_mm512_scalef_ps((__m512)x, (__m512)power);
}

/// Numbers of 16 bits as 32: GCC 12 makes four instructions of the extension's conversion.
template <class Wide, class Short>
inline Wide zero_extended(Short bits) {
  return (Wide)_mm512_cvtepu16_epi32((__m256i)bits);
}

/// float32 numbers as float64, for the same reason.
template <class Wide, class Half>
inline Wide in_double(Half numbers) {
  return (Wide)_mm512_cvtps_pd((__m256)numbers);
}

constexpr bool kConvertsFloat16 = true;

/// float16 numbers as float32: exact, subnormal ones too.
template <class V, class Bits>
inline V widened_float16(Bits bits) {
  return (V)_mm512_cvtph_ps((__m256i)bits);
}

/// float32 numbers to the nearest float16, ties to even.
template <class Bits, class V>
inline Bits narrowed_float16(V value) {
  return (Bits)_mm512_cvtps_ph((__m512)value, _MM_FROUND_TO_NEAREST_INT);
}

/// The products of the lower halves of lanes of 64 bits.
template <class V>
inline V product_of_halves(V a, V b) {
  return (V)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}

/// Whether a bit is set in any lane.
template <class V>
inline bool any(V lanes) {
  const __m512i bits = (__m512i)lanes;
  return _mm512_test_epi32_mask(bits, bits) != 0;
}

}  // namespace
}  // namespace foveal
