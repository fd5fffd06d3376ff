// The fused engine against attention written out in float64, over generated options.

#include "foveal/attention.h"

#include <gtest/gtest.h>

#include "attention/cases.h"
#include "attention/naive.h"
#include "foveal/operations.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

void run_cases(const std::string& target, DType dtype, double unit, unsigned count) {
  for (unsigned seed = 0; seed < count; ++seed) {
    Cases cases(seed);
    Case one = make_case(cases, dtype);
    one.options.target = target;
    SCOPED_TRACE(target + " case " + std::to_string(seed) + " " + to_string(one.query.shape()) +
                 to_string(one.key.shape()) + to_string(one.value.shape()) + " " +
                 to_string(one.options.mask).substr(0, 80));
    const AttentionResult got = attention(one.query, one.key, one.value, one.options);
    const NaiveResult want = naive_attention(one.query, one.key, one.value, one.options);
    const double scores = largest(want.scores);
    const double tolerance = unit * (32 + scores) * std::max(1.0, largest(one.value)) *
                             (one.options.dropout > 0 ? 2 : 1);
    expect_close(got.output, want.output, tolerance, "output");
    expect_close(got.lse, want.lse, unit * 32 * std::max(1.0, scores), "lse");
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Attention, EqualsTheFormulaOnEveryTarget) {
  for (const Target* target : usable_targets()) {
    run_cases(target->name, DType::float32, 0x1p-22, 200);
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::float64, 0x1p-50, 100);
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::bfloat16, 0x1p-8 / 16, 60);
    if (HasFatalFailure()) return;
  }
}

TEST(Attention, SameBitsForAnyNumberOfThreads) {
  const int before = num_threads();
  for (unsigned seed = 0; seed < 20; ++seed) {
    Cases cases(seed);
    const Case one = make_case(cases, DType::float32);
    set_num_threads(1);
    const AttentionResult first = attention(one.query, one.key, one.value, one.options);
    for (int threads : {2, 3, 8}) {
      set_num_threads(threads);
      const AttentionResult again = attention(one.query, one.key, one.value, one.options);
      EXPECT_TRUE(equal(again.output, first.output)) << seed;
    }
  }
  set_num_threads(before);
}

}  // namespace
}  // namespace foveal
