#pragma once
// AArch64's Advanced SIMD: 32 registers of 16 bytes.

#include <arm_neon.h>
#include <stdint.h>

#define FOVEAL_VECTOR_REGISTER "+w"

#include "kernels/targets/extension_words.h"

namespace foveal {
namespace {

constexpr int kRegisterBytes = 16;
constexpr int kQueryVectors = 4;  // by 4 keys: 16 sums, 4 vectors of queries, 1 key of 32 registers
constexpr bool kFusesProducts = true;
constexpr bool kWeighsBetween = true;      // registers are left beside the sums
constexpr int64_t kKeptBytes = INT64_MAX;  // of a head's K and V, that a cache is taken to hold
constexpr int64_t kValuesAhead = 0;        // rows of V that a decode asks for ahead
constexpr int kWidenedKeysTogether = 1;    // of a decode

/// The larger one; `b` where either is NaN.
template <class V>
inline V larger(V a, V b) {
  return a > b ? a : b;
}

constexpr bool kScalesByPowers = false;
constexpr bool kConvertsFloat16 = false;

/// The products of the lower halves of lanes of 64 bits.
template <class V>
inline V product_of_halves(V a, V b) {
  return (V)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
}

/// Whether a bit is set in any lane.
template <class V>
inline bool any(V lanes) {
  return vmaxvq_u32((uint32x4_t)lanes) != 0;
}

}  // namespace
}  // namespace foveal
