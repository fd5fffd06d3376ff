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

/// `rounds` rounds of kPeakSums * kPeakSteps calls of step(sum). Returns a sum, so that nothing is
/// left out.
template <class Step>
inline __attribute__((always_inline)) float run_rounds(int64_t rounds, const Step& step) {
  // Each sum starts from a number of its own that the compiler can't know: equal ones would be one.
  FloatVector sums[kPeakSums];
#pragma GCC unroll 16
  for (int n = 0; n < kPeakSums; ++n) {
    const FloatVector start = in_register(broadcast(static_cast<float>(n)));
    sums[n] = start;
  }
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int s = 0; s < kPeakSteps; ++s) {
#pragma GCC unroll 16
      for (int n = 0; n < kPeakSums; ++n) sums[n] = step(sums[n]);
    }
  }
  FloatVector all{};
#pragma GCC unroll 16
  for (int n = 0; n < kPeakSums; ++n) all += sums[n];
  return all[0];
}

/// `rounds` rounds of kPeakOperations each.
[[maybe_unused]] float multiply_adds(int64_t rounds) {
  const FloatVector factor = in_register(broadcast(0.5f)), term = in_register(broadcast(1.0f));
  return run_rounds(rounds, [=](FloatVector sum) { return sum * factor + term; });
}

/// The sum of `count` numbers, a multiple of eight vectors.
[[maybe_unused]] float read_numbers(const float* numbers, int64_t count) {
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
