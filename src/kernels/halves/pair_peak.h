#pragma once
// What the CPU can do at most with pairs of bfloat16 (peak.h, with another multiply-add).

#include "kernels/halves/pairs.h"
#include "kernels/peak.h"

namespace foveal {
namespace {

constexpr double kPairPeakOperations = 2 * kPeakOperations;

/// `rounds` rounds of kPairPeakOperations each.
float multiply_add_pairs(int64_t rounds) {
  const PairVector halves = in_register(PairVector{} + 0x3f003f00);
  return run_rounds(rounds, [=](FloatVector sum) { return add_pairs(sum, halves, halves); });
}

}  // namespace
}  // namespace foveal
