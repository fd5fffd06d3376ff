// Gradients against the chain rule and against differences in float64, over generated options.

#include <gtest/gtest.h>

#include "attention/backward_cases.h"
#include "attention/naive.h"
#include "case_count.h"
#include "foveal/attention.h"
#include "foveal/operations.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

/// How large scores are, or sums on the way to one: those of a few keys may cancel.
double score_size(const BackwardCase& one) {
  const auto& [query, key, value, options] = one.forward;
  const double d = std::max<double>(1, static_cast<double>(query.size(3)));
  const double sums =
      options.scale.value_or(1 / std::sqrt(d)) * largest(query) * largest(key) * std::sqrt(d) / 4;
  const double scores = largest(naive_attention(query, key, value, options).scores);
  return std::max(scores, std::fabs(sums)) * sum_error(query.size(3));
}

/// The engine's gradients against the chain rule's; `unit` is the rounding of its numbers.
void check_case(const BackwardCase& one, double unit) {
  const auto& [query, key, value, options] = one.forward;
  SCOPED_TRACE(options.target + " " + to_string(query.shape()) + to_string(key.shape()) +
               to_string(value.shape()) + " " + to_string(options.mask).substr(0, 80));
  const auto got = named(differentiate(one));
  const auto want = named(naive_gradients(one.grad_output, query, key, value, options));
  const double scores = score_size(one);
  const std::vector<double> sizes = term_sizes(one);
  for (std::size_t n = 0; n < got.size(); ++n) {
    ASSERT_EQ(got[n].second.defined(), want[n].second.defined());
    if (!got[n].second.defined()) continue;
    expect_close(got[n].second, want[n].second, unit * (6 + scores) * sizes[n], got[n].first);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

void run_cases(const std::string& target, DType dtype, double unit, unsigned count) {
  for (unsigned seed = 0; seed < count; ++seed) {
    Cases cases(seed + 1000);
    BackwardCase one = make_backward_case(cases, dtype);
    one.forward.options.target = target;
    SCOPED_TRACE("case " + std::to_string(seed));
    check_case(one, unit);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

/// Of 20,000 cases the worst came to 0.6 of what is allowed. In half precision O is given rounded,
/// and delta follows from it.
TEST(Backward, EqualsTheChainRuleOnEveryTarget) {
  for (const Target* target : usable_targets()) {
    run_cases(target->name, DType::float32, 0x1p-22, case_count(40));
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::float64, 0x1p-50, case_count(20));
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::bfloat16, 0x1p-8, case_count(20));
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::float16, 0x1p-11, case_count(20));
    if (HasFatalFailure()) return;
  }
}

/// Bands that begin and end within a tile of queries, and keys that fill their tiles.
TEST(Backward, NarrowBandsEqualTheChainRule) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::bfloat16}) {
      for (const Mask& mask : {window(8, 0), window(0, 20), causal() & window(30, -1)}) {
        Cases cases(12);
        BackwardCase one;
        one.forward = {cases.normal({1, 2, 192, 32}).to(dtype),
                       cases.normal({1, 1, 192, 32}).to(dtype),
                       cases.normal({1, 1, 192, 24}).to(dtype),
                       {}};
        one.grad_output = cases.normal({1, 2, 192, 24}).to(dtype);
        one.forward.options.return_lse = true;
        one.forward.options.mask = mask;
        one.forward.options.target = target->name;
        check_case(one, dtype == DType::float32 ? 0x1p-23 : 0x1p-8 / 8);
        if (HasFatalFailure()) return;
      }
    }
  }
}

/// The loss whose gradient by the output is grad_output.
double loss(const BackwardCase& one) {
  const auto& [query, key, value, options] = one.forward;
  return sum(attention(query, key, value, options).output * one.grad_output).item();
}

/// Central differences by every element of `input`, which the case holds.
void expect_differences(BackwardCase& one, Tensor& input, const Tensor& gradient,
                        const char* name) {
  constexpr double kStep = 1e-5;
  const Tensor at = input.clone();
  for (std::int64_t n = 0; n < at.element_count(); ++n) {
    const auto loss_at = [&](double step) {
      input = at.clone();
      input.data<double>()[n] += step;
      return loss(one);
    };
    const double difference = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
    const double got = gradient.to_vector()[static_cast<std::size_t>(n)];
    ASSERT_NEAR(got, difference, 1e-6 * std::max(1.0, std::fabs(difference))) << name << " " << n;
  }
  input = at;
}

TEST(Backward, EqualsDifferences) {
  for (unsigned seed = 0; seed < 8; ++seed) {
    Cases cases(seed);
    BackwardCase one;
    one.forward = {
        cases.normal({2, 4, 5, 3}), cases.normal({2, 2, 7, 3}), cases.normal({2, 2, 7, 2}), {}};
    one.grad_output = cases.normal({2, 4, 5, 2});
    AttentionOptions& options = one.forward.options;
    options.return_lse = true;
    options.gradients = {true, true, true};
    options.bias = cases.normal({seed % 2 ? 2 : 1, seed % 4 < 2 ? 4 : 1, seed < 4 ? 5 : 1, 7});
    options.sinks = cases.normal({4});
    options.alibi_slopes = abs(cases.normal({4}));
    if (seed % 2 == 1) options.softcap = 1.5;
    if (seed % 3 == 1) options.dropout = 0.4;
    if (seed % 3 == 2) options.mask = causal(Corner::bottom_right) & window(2, -1);
    const AttentionGradients got = differentiate(one);
    SCOPED_TRACE(seed);
    expect_differences(one, one.forward.query, got.q, "query");
    expect_differences(one, one.forward.key, got.k, "key");
    expect_differences(one, one.forward.value, got.v, "value");
    expect_differences(one, options.bias, got.bias, "bias");
    expect_differences(one, options.sinks, got.sinks, "sinks");
    expect_differences(one, options.alibi_slopes, got.alibi_slopes, "alibi_slopes");
    if (HasFatalFailure()) return;
  }
}

TEST(Backward, ManyBlocksOfKeysEqualTheChainRule) {
  for (const Shape& bias :
       {Shape{}, Shape{2, 4, 30, 2500}, Shape{30, 2500}, Shape{4, 30, 1}, Shape{2, 1, 1, 2500}}) {
    const BackwardCase one = long_case(bias);
    const auto& [query, key, value, options] = one.forward;
    const auto got = named(differentiate(one));
    const auto want = named(naive_gradients(one.grad_output, query, key, value, options));
    for (std::size_t n = 0; n < got.size(); ++n) {
      if (!got[n].second.defined()) continue;
      const double size = std::max(1.0, largest(want[n].second));
      expect_close(got[n].second, want[n].second, 2e-5 * size, got[n].first);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Backward, SameBitsForAnyNumberOfThreads) {
  const int before = num_threads();
  std::vector<BackwardCase> all{long_case({}), long_case({30, 2500}), long_case({2, 1, 1, 2500})};
  for (unsigned seed = 0; seed < case_count(7); ++seed) {
    Cases cases(seed);
    all.push_back(make_backward_case(cases, seed % 2 ? DType::float32 : DType::bfloat16));
  }
  for (const BackwardCase& one : all) {
    set_num_threads(1);
    const AttentionGradients first = differentiate(one);
    for (int threads : {2, 3, 8}) {
      set_num_threads(threads);
      expect_equal_bits(differentiate(one), first);
    }
  }
  set_num_threads(before);
}

TEST(Backward, SameBitsAloneAndInABatch) {
  for (const DType dtype : {DType::float32, DType::bfloat16}) {
    BackwardCase one = long_case({});
    one.forward.options.alibi_slopes = {};
    one.forward.options.gradients = {};
    one.forward.query = one.forward.query.to(dtype);
    one.forward.key = one.forward.key.to(dtype);
    one.forward.value = one.forward.value.to(dtype);
    one.grad_output = one.grad_output.to(dtype);
    // The neighbour's scores are large.
    const Tensor neighbour = one.forward.query.slice(0, 0, 1);
    one.forward.query.slice(0, 0, 1).copy_(neighbour * 400);
    const AttentionGradients whole = differentiate(one);
    one.forward.query = one.forward.query.slice(0, 1, 2);
    one.forward.key = one.forward.key.slice(0, 1, 2);
    one.forward.value = one.forward.value.slice(0, 1, 2);
    one.grad_output = one.grad_output.slice(0, 1, 2);
    const AttentionGradients alone = differentiate(one);
    EXPECT_TRUE(equal(alone.q, whole.q.slice(0, 1, 2)));
    EXPECT_TRUE(equal(alone.k, whole.k.slice(0, 1, 2)));
    EXPECT_TRUE(equal(alone.v, whole.v.slice(0, 1, 2)));
  }
}

}  // namespace
}  // namespace foveal
