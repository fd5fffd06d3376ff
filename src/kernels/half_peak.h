#pragma once
// What the CPU can do at most with pairs of bfloat16 (peak.h, with another multiply-add).

#include "kernels/half_pairs.h"
#include "kernels/peak.h"

namespace foveal {
namespace {

constexpr double kPairPeakOperations = 2 * kPeakOperations;

/// `rounds` rounds of kPairPeakOperations each. Returns a sum, so that nothing is left out.
float multiply_add_pairs(int64_t rounds) {
  FloatVector sums[kPeakSums];
#pragma GCC unroll 16
  for (int n = 0; n < kPeakSums; ++n) {
    const FloatVector start = in_register(broadcast(static_cast<float>(n)));
    sums[n] = start;
  }
  const PairVector halves = in_register(PairVector{} + 0x3f003f00);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int step = 0; step < kPeakSteps; ++step) {
#pragma GCC unroll 16
      for (int n = 0; n < kPeakSums; ++n) sums[n] = add_pairs(sums[n], halves, halves);
    }
  }
  FloatVector all{};
#pragma GCC unroll 16
  for (int n = 0; n < kPeakSums; ++n) all += sums[n];
  return all[0];
}

}  // namespace
}  // namespace foveal
