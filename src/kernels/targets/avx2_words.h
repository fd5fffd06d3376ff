#pragma once
// AVX2 with FMA: 16 registers of 32 bytes.

#include <immintrin.h>
#include <stdint.h>

#define FOVEAL_VECTOR_REGISTER "+x"

namespace foveal {
namespace {

constexpr int kRegisterBytes = 32;
constexpr int kQueryVectors = 3;  // by 4 keys: 12 sums, 3 vectors of queries, 1 key: 16 registers
constexpr bool kFusesProducts = true;
// No register is left beside the sums, which would pass through memory. Zen 3: +5 % of peak, and
// one pass over all scores of a segment +6.
constexpr bool kWeighsBetween = false;
// Of a head's K and V: the second cache is half of this or less, the third far away. Zen 3, L 4096
// D 128: 39 -> 60 % of peak; small heads lose up to 3 % by it.
constexpr int64_t kKeptBytes = 1 << 20;
// Rows of V that a decode asks for ahead. Zen 3, float32: 50-57 -> 69-71 % of read bandwidth.
constexpr int64_t kValuesAhead = 16;
constexpr int kWidenedKeysTogether = 2;  // widening takes units too: eight sums keep them busy

/// The larger one; `b` where either is NaN.
template <class V>
inline V larger(V a, V b) {
  if constexpr (sizeof(a[0]) == sizeof(float)) {
    return (V)_mm256_max_ps((__m256)a, (__m256)b);
  } else {
    return (V)_mm256_max_pd((__m256d)a, (__m256d)b);
  }
}

constexpr bool kScalesByPowers = false;

/// Numbers of 16 bits as 32: GCC 12 makes four instructions of the extension's conversion.
template <class Wide, class Short>
inline Wide zero_extended(Short bits) {
  return (Wide)_mm256_cvtepu16_epi32((__m128i)bits);
}

/// float32 numbers as float64, for the same reason.
template <class Wide, class Half>
inline Wide in_double(Half numbers) {
  return (Wide)_mm256_cvtps_pd((__m128)numbers);
}

constexpr bool kConvertsFloat16 = true;

/// float16 numbers as float32: exact, subnormal ones too.
template <class V, class Bits>
inline V widened_float16(Bits bits) {
  return (V)_mm256_cvtph_ps((__m128i)bits);
}

/// float32 numbers to the nearest float16, ties to even.
template <class Bits, class V>
inline Bits narrowed_float16(V value) {
  return (Bits)_mm256_cvtps_ph((__m256)value, _MM_FROUND_TO_NEAREST_INT);
}

/// The products of the lower halves of lanes of 64 bits.
template <class V>
inline V product_of_halves(V a, V b) {
  return (V)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}

/// Whether a bit is set in any lane.
template <class V>
inline bool any(V lanes) {
  return _mm256_movemask_epi8(reinterpret_cast<__m256i>(lanes)) != 0;
}

}  // namespace
}  // namespace foveal
