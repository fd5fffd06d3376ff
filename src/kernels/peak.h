#pragma once
// What the CPU can do at most: multiply-adds that stay in registers, and reading alone. Speeds are
// given as shares of these.

#include "kernels/simd.h"

namespace foveal {
namespace {

// As many sums as the micro-kernel has: enough to hide a multiply-add's latency.
constexpr int kPeakSums = 4 * kQueryVectors;
constexpr int kPeakSteps = 16;  // of a round

constexpr double kPeakOperations = 2.0 * kPeakSums * kPeakSteps * kLanes<float>;

/// `rounds` rounds of kPeakOperations each. Returns a sum, so that nothing is left out.
float multiply_adds(int64_t rounds) {
  // Each sum starts from a number of its own that the compiler can't know: equal ones would be one.
  FloatVector sums[kPeakSums];
#pragma GCC unroll 16
  for (int n = 0; n < kPeakSums; ++n) {
    const FloatVector start = in_register(broadcast(static_cast<float>(n)));
    sums[n] = start;
  }
  const FloatVector factor = in_register(broadcast(0.5f)), term = in_register(broadcast(1.0f));
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int step = 0; step < kPeakSteps; ++step) {
#pragma GCC unroll 16
      for (int n = 0; n < kPeakSums; ++n) sums[n] = sums[n] * factor + term;
    }
  }
  FloatVector all{};
#pragma GCC unroll 16
  for (int n = 0; n < kPeakSums; ++n) all += sums[n];
  return all[0];
}

/// The sum of `count` numbers, a multiple of eight vectors.
float read_numbers(const float* numbers, int64_t count) {
  constexpr int kSums = 8;
  FloatVector sums[kSums] = {};
  for (int64_t at = 0; at < count; at += kSums * kLanes<float>) {
#pragma GCC unroll 16
    for (int n = 0; n < kSums; ++n) sums[n] += load(numbers + at + n * kLanes<float>);
  }
  FloatVector all{};
#pragma GCC unroll 16
  for (int n = 0; n < kSums; ++n) all += sums[n];
  return all[0];
}

}  // namespace
}  // namespace foveal
