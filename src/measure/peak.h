#pragma once
// What this machine can do at most, measured in the run that uses it.

#include <array>
#include <vector>

#include "foveal/tensor.h"
#include "kernels/targets/target.h"

namespace foveal::measure {

/// Multiply-adds of one target in GFLOP/s (a multiply-add counts as two), or reading memory in
/// GB/s.
enum class PeakKind { float32, bfloat16, read };

/// Takes samples on the library's threads, cut into tasks as a call's work is, and remembers them.
class PeakMeter {
 public:
  explicit PeakMeter(const Target& target) : target_(target) {}

  /// About 15 ms of multiply-adds, or an array larger than the caches read once.
  double sample(PeakKind kind);
  /// Of the samples so far; there must be one.
  double median(PeakKind kind) const;

 private:
  double multiply_adds(const PeakKernel& kernel) const;
  double read();

  const Target& target_;
  std::array<std::vector<double>, 3> samples_;
  Tensor numbers_;  // what is read
};

}  // namespace foveal::measure
