// What a backward takes at most: gradients come where saved tensors go.

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "foveal/foveal.h"
#include "sanitized.h"

namespace foveal {
namespace {

#if !defined(FOVEAL_SANITIZED)  // a sanitizer holds what is freed
/// "VmRSS" or "VmHWM" of this process, in bytes; 0 where the system doesn't say.
std::int64_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

TEST(PeakMemory, OfABackwardIsThatOfAFewTensors) {
  constexpr std::int64_t kCount = 1 << 20, kBytes = kCount * 4, kSteps = 24;
  std::vector<Tensor> weights;
  for (std::int64_t n = 0; n < kSteps; ++n) {
    weights.push_back(Tensor::full({kCount}, 1.01).requires_grad_());
  }
  Tensor y = Tensor::ones({kCount});
  for (const Tensor& weight : weights) y = y * weight;  // each saves the product before it
  const Tensor loss = sum(y);
  y = Tensor();
  release_memory();
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here on
  const std::int64_t before = status_bytes("VmRSS");
  loss.backward();
  const std::int64_t peak = status_bytes("VmHWM") - before;
  if (before == 0) GTEST_SKIP() << "the system doesn't say";
  EXPECT_LT(peak, 8 * kBytes) << "24 gradients stay: as many saved tensors have gone";
  for (const Tensor& weight : weights) EXPECT_TRUE(weight.grad().defined());
}
#endif

}  // namespace
}  // namespace foveal
