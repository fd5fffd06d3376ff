#pragma once
// AVX-512 (F, BW, DQ, VL): 32 registers of 64 bytes.

#include <immintrin.h>
#include <stdint.h>

#define FOVEAL_VECTOR_REGISTER "+v"

namespace foveal {
namespace {

constexpr int kRegisterBytes = 64;
constexpr int kQueryVectors = 4;  // by 4 keys: 16 sums, 4 vectors of queries, 1 key of 32 registers

/// Whether a bit is set in any lane.
template <class V>
inline bool any(V lanes) {
  const __m512i bits = (__m512i)lanes;
  return _mm512_test_epi32_mask(bits, bits) != 0;
}

}  // namespace
}  // namespace foveal
