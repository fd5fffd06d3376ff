// Partial states: split keys anywhere, merge in any order, finish, and it is attention.

#include <limits>

#include "attention/cases.h"
#include "attention/naive.h"
#include "case_count.h"
#include "foveal/error.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

AttentionState neutral_like(const AttentionState& state) {
  const DType dtype = state.output.dtype();
  return {Tensor::zeros(state.output.shape(), dtype),
          Tensor::full(state.maximum.shape(), -INFINITY, dtype),
          Tensor::zeros(state.sum.shape(), dtype)};
}

void expect_same(const AttentionState& a, const AttentionState& b, double tolerance) {
  expect_close(a.maximum, b.maximum, 0, "maximum");
  expect_close(a.sum, b.sum, tolerance * (1 + largest(b.sum)), "sum");
  expect_close(a.output, b.output, tolerance * (1 + largest(b.output)), "output");
}

/// Options whose meaning doesn't depend on where the keys are cut.
AttentionOptions free_of_places(const AttentionOptions& options) {
  AttentionOptions free;
  free.scale = options.scale;
  free.softcap = options.softcap;
  free.return_lse = true;
  return free;
}

TEST(State, FinishGivesAttention) {
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(14); ++seed) {
      Cases cases(seed);
      const DType dtype = cases.chance(30) ? DType::float64 : DType::float32;
      Case one = make_case(cases, dtype);
      one.options.target = target->name;
      const AttentionResult want = attention(one.query, one.key, one.value, one.options);
      const AttentionResult got =
          finish(attention_state(one.query, one.key, one.value, one.options));
      const double unit = dtype == DType::float64 ? 0x1p-50 : 0x1p-20;
      const double factor = std::isfinite(largest(want.lse)) ? 1 + largest(want.lse) : 1;
      expect_close(got.lse, want.lse, unit * factor, "lse");
      expect_close(got.output, want.output, unit * factor * (1 + largest(want.output)), "output");
    }
  }
}

TEST(State, MaximumAndSumAreThoseOfTheScores) {
  for (unsigned seed = 0; seed < case_count(10); ++seed) {
    Cases cases(seed);
    const Case one = make_case(cases, DType::float64);
    const AttentionState state = attention_state(one.query, one.key, one.value, one.options);
    const NaiveResult want = naive_attention(one.query, one.key, one.value, one.options);
    const std::vector<double> scores = want.scores.to_vector();
    const std::vector<double> maximum = state.maximum.to_vector();
    const auto keys = static_cast<std::size_t>(one.key.size(2));
    for (std::size_t row = 0; row < maximum.size(); ++row) {
      double top = -INFINITY;
      if (one.options.sinks.defined()) {
        const std::int64_t h =
            static_cast<std::int64_t>(row) / one.query.size(2) % one.query.size(1);
        top = one.options.sinks.at({h});
      }
      for (std::size_t j = 0; j < keys; ++j) top = std::max(top, scores[row * keys + j]);
      if (std::isinf(top)) {
        EXPECT_EQ(maximum[row], top);
      } else {
        EXPECT_NEAR(maximum[row], top, 1e-12 * (1 + std::fabs(top)));
      }
    }
  }
}

TEST(State, KeysMayBeSplitAnywhere) {
  for (unsigned seed = 0; seed < case_count(20); ++seed) {
    Cases cases(seed);
    const DType dtype = cases.chance(30) ? DType::bfloat16 : DType::float32;
    const Case one = make_case(cases, dtype);
    const AttentionOptions options = free_of_places(one.options);
    const std::int64_t keys = one.key.size(2);
    const std::int64_t first = cases.number(0, keys), second = cases.number(first, keys);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      return attention_state(one.query, one.key.slice(2, begin, end),
                             one.value.slice(2, begin, end), options);
    };
    const AttentionState a = part(0, first), b = part(first, second), c = part(second, keys);
    const AttentionState left = merge(merge(a, b), c), right = merge(a, merge(b, c));
    expect_same(left, right, 0x1p-20);
    expect_same(merge(a, b), merge(b, a), 0);
    const AttentionState neutral = neutral_like(a);
    expect_same(merge(a, neutral), a, 0);
    expect_same(merge(neutral, a), a, 0);
    const NaiveResult want = naive_attention(one.query, one.key, one.value, options);
    const AttentionResult got = finish(left);
    EXPECT_EQ(got.output.dtype(), DType::float32);
    const double scores = 32 + score_size(one, want.scores);
    // Weights of at most 2 (dropout scales them) may be rounded to the bfloat16 that V has.
    const double rounded = dtype == DType::bfloat16 ? 0x1p-8 * largest(one.value) : 0;
    expect_close(got.output, want.output, rounded + 0x1p-21 * scores * (1 + largest(one.value)),
                 "output");
    expect_close(got.lse, want.lse, 0x1p-21 * scores, "lse");
    if (HasFatalFailure()) FAIL() << seed;
  }
}

TEST(State, WithoutAKeyIsNeutral) {
  const Tensor query = Tensor::ones({1, 2, 3, 4}), none = Tensor::zeros({1, 1, 0, 4});
  const AttentionState state = attention_state(query, none, none);
  expect_same(state, neutral_like(state), 0);
  const AttentionResult result = finish(merge(state, state));
  EXPECT_EQ(largest(result.output), 0);
  EXPECT_EQ(result.lse.at({0, 1, 2}), -INFINITY);
}

TEST(State, RefusesWhatDoesNotFit) {
  const Tensor x = Tensor::ones({1, 1, 3, 4});
  const AttentionState state = attention_state(x, x, x);
  const Tensor y = Tensor::ones({1, 1, 2, 4});
  EXPECT_THROW(merge(state, attention_state(y, x, x)), Error);
  EXPECT_THROW(merge(state, attention_state(x.to(DType::float64), x.to(DType::float64),
                                            x.to(DType::float64))),
               Error);
  EXPECT_THROW(merge(state, {}), Error);
  EXPECT_THROW(finish({state.output, state.maximum, x}), Error);
  AttentionOptions options;
  options.return_weights = true;
  EXPECT_THROW(attention_state(x, x, x, options), Error);
}

}  // namespace
}  // namespace foveal
