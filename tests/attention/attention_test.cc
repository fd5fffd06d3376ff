// The fused engine against attention written out in float64, over generated options.

#include "foveal/attention.h"

#include <gtest/gtest.h>

#include "attention/cases.h"
#include "attention/naive.h"
#include "attention/plan/problem.h"
#include "attention/shrink.h"
#include "foveal/operations.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

/// The engine against the formula; `unit` is the rounding of its numbers.
void check_case(const Case& one, double unit) {
  const AttentionResult got = attention(one.query, one.key, one.value, one.options);
  const NaiveResult want = naive_attention(one.query, one.key, one.value, one.options);
  const double scores = largest(want.scores);
  const double tolerance = unit * (32 + scores) * std::max(1.0, largest(one.value)) *
                           (drops_weights(one.options) ? 2 : 1);
  expect_close(got.output, want.output, tolerance, "output");
  expect_close(got.lse, want.lse, unit * 32 * std::max(1.0, scores), "lse");
}

void run_cases(const std::string& target, DType dtype, double unit, unsigned percent) {
  check_generated(
      case_count(percent),
      [&](unsigned seed) {
        Cases cases(seed);
        Case one = make_case(cases, dtype);
        one.options.target = target;
        return one;
      },
      [&](const Case& one) { check_case(one, unit); });
}

TEST(Attention, EqualsTheFormulaOnEveryTarget) {
  for (const Target* target : usable_targets()) {
    run_cases(target->name, DType::float32, 0x1p-22, 40);
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::float64, 0x1p-50, 20);
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::bfloat16, 0x1p-8 / 16, 20);
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::float16, 0x1p-11 / 16, 20);
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
