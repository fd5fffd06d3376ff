#pragma once
// AVX2 with FMA: 16 registers of 32 bytes.

#include <immintrin.h>
#include <stdint.h>

#define FOVEAL_VECTOR_REGISTER "+x"

namespace foveal {
namespace {

constexpr int kRegisterBytes = 32;
constexpr int kQueryVectors = 3;  // by 4 keys: 12 sums, 3 vectors of queries, 1 key: 16 registers

/// Whether a bit is set in any lane.
template <class V>
inline bool any(V lanes) {
  return _mm256_movemask_epi8(reinterpret_cast<__m256i>(lanes)) != 0;
}

}  // namespace
}  // namespace foveal
