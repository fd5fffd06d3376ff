// The fused engine against attention written out in float64, over generated options.

#include "foveal/attention.h"

#include <gtest/gtest.h>

#include "attention/cases.h"
#include "attention/naive.h"
#include "attention/plan/problem.h"
#include "attention/shrink.h"
#include "case_count.h"
#include "foveal/operations.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

/// The engine against the formula; `unit` is the rounding of its numbers.
void check_case(const Case& one, double unit) {
  const AttentionResult got = attention(one.query, one.key, one.value, one.options);
  const NaiveResult want = naive_attention(one.query, one.key, one.value, one.options);
  const double scores = score_size(one, want.scores);
  const double tolerance = unit * (32 + scores) * std::max(1.0, largest(one.value)) *
                           (drops_weights(one.options) ? 2 : 1);
  expect_close(got.output, want.output, tolerance, "output");
  expect_lse(got.lse, want.lse, unit * 32 * std::max(1.0, scores));
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

/// A random mask, as a mask or as a bias of -inf; what it hides from all becomes `poison`.
void check_hidden(const std::string& target, DType dtype, bool by_bias, double poison) {
  Cases cases(5);
  Case one;
  one.query = cases.normal({1, 4, 70, 20}).to(dtype);
  one.key = cases.normal({1, 2, 150, 20}).to(dtype);
  one.value = cases.normal({1, 2, 150, 9}).to(dtype);
  one.options.target = target;
  const Tensor hidden = gt(cases.normal({1, 1, 1, 150}), 0.0);
  const Tensor drawn = gt(cases.normal({1, 4, 70, 150}), -1.0);
  const Tensor seen = masked_fill(drawn.to(DType::float32), hidden, 0);
  if (by_bias) {
    one.options.bias = masked_fill(Tensor::zeros(seen.shape()), eq(seen, 0.0), -INFINITY);
  } else {
    one.options.mask = dense(seen.to(DType::boolean));
  }
  const Tensor clean = attention(one.query, one.key, one.value, one.options).output;
  for (std::int64_t key = 0; key < 150; ++key) {
    if (hidden.at({0, 0, 0, key}) == 0) continue;
    one.key.slice(2, key, key + 1).fill_(poison);
    one.value.slice(2, key, key + 1).fill_(poison);
  }
  EXPECT_TRUE(equal(attention(one.query, one.key, one.value, one.options).output, clean))
      << target << " " << to_string(dtype) << " by bias " << by_bias << " " << poison;
}

TEST(Attention, HiddenKeysAndValuesNeverReachTheResult) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
      for (const bool by_bias : {false, true}) {
        for (const double poison :
             {static_cast<double>(NAN), static_cast<double>(INFINITY), -3e4}) {
          check_hidden(target->name, dtype, by_bias, poison);
        }
      }
    }
  }
}

/// One value is NaN: the rows that see it, and no others, are NaN.
TEST(Attention, AVisibleNaNStaysInItsRows) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::bfloat16}) {
      Cases cases(6);
      Case one;
      one.query = cases.normal({1, 1, 80, 16}).to(dtype);
      one.key = cases.normal({1, 1, 80, 16}).to(dtype);
      one.value = cases.normal({1, 1, 80, 16}).to(dtype);
      one.options.target = target->name;
      one.options.mask = causal();
      one.value.set({0, 0, 37, 3}, NAN);
      const Tensor output = attention(one.query, one.key, one.value, one.options).output;
      for (std::int64_t i = 0; i < 80; ++i) {
        for (std::int64_t d = 0; d < 16; ++d) {
          EXPECT_EQ(std::isnan(output.at({0, 0, i, d})), i >= 37 && d == 3) << i << " " << d;
        }
      }
    }
  }
}

/// Each tile's scores pass those before it by far, so that all that was added is rescaled.
TEST(Attention, ScoresMayRiseFromTileToTile) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
      for (const double rise : {0.4, 3.0}) {
        Cases cases(8);
        Case one;
        one.query = Tensor::ones({1, 1, 70, 4}, dtype);
        Tensor key = cases.normal({1, 1, 400, 4});
        for (std::int64_t j = 0; j < 400; ++j) {
          key.set({0, 0, j, 0}, rise * static_cast<double>(j / 16 * 16));
        }
        one.key = key.to(dtype);
        one.value = cases.normal({1, 1, 400, 20}).to(dtype);
        one.options.target = target->name;
        one.options.return_lse = true;
        one.options.mask = causal(Corner::bottom_right);
        SCOPED_TRACE(std::string(target->name) + " " + to_string(dtype));
        check_case(one, dtype == DType::bfloat16  ? 0x1p-8 / 16
                        : dtype == DType::float32 ? 0x1p-22
                                                  : 0x1p-50);
        if (HasFatalFailure()) return;
      }
    }
  }
}

/// A lone key's value comes back as it is: the weights are divided by the sum of what they were
/// rounded to.
TEST(Attention, ALoneKeyGivesItsValue) {
  for (const Target* target : usable_targets()) {
    Cases cases(9);
    const Tensor query = cases.normal({1, 1, 65, 33}).to(DType::bfloat16);
    const Tensor key = cases.normal({1, 1, 65, 33}).to(DType::bfloat16);
    const Tensor value = cases.normal({1, 1, 65, 19}).to(DType::bfloat16);
    AttentionOptions options;
    options.mask = window(0, 0);
    options.target = target->name;
    EXPECT_TRUE(equal(attention(query, key, value, options).output, value)) << target->name;
  }
}

TEST(Attention, SameBitsAloneAndInABatch) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::bfloat16}) {
      Cases cases(10);
      const Tensor query = cases.normal({3, 4, 130, 40}).to(dtype);
      const Tensor key = cases.normal({3, 2, 200, 40}).to(dtype);
      AttentionOptions options;
      options.mask = causal(Corner::bottom_right);
      options.target = target->name;
      const Tensor whole = attention(query, key, key, options).output;
      const Tensor keys = key.slice(0, 1, 2);
      EXPECT_TRUE(equal(attention(query.slice(0, 1, 2), keys, keys, options).output,
                        whole.slice(0, 1, 2).contiguous()))
          << target->name << " " << to_string(dtype);
    }
  }
}

/// Some of the sequences have so few queries that they are decoded.
TEST(Attention, PackedSequencesEqualEachAlone) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::bfloat16}) {
      Cases cases(11);
      const Tensor query = cases.normal({1, 4, 150, 12}).to(dtype);
      const Tensor key = cases.normal({1, 2, 190, 12}).to(dtype);
      const Tensor value = cases.normal({1, 2, 190, 6}).to(dtype);
      AttentionOptions options;
      options.mask = causal(Corner::bottom_right);
      options.target = target->name;
      AttentionOptions packed = options;
      const std::vector<std::int64_t> queries{0, 60, 60, 61, 150}, keys{0, 80, 83, 90, 190};
      packed.query_starts = queries;
      packed.key_starts = keys;
      const Tensor whole = attention(query, key, value, packed).output;
      for (std::size_t n = 0; n + 1 < queries.size(); ++n) {
        const Tensor alone = attention(query.slice(2, queries[n], queries[n + 1]),
                                       key.slice(2, keys[n], keys[n + 1]),
                                       value.slice(2, keys[n], keys[n + 1]), options)
                                 .output;
        EXPECT_TRUE(equal(alone, whole.slice(2, queries[n], queries[n + 1]).contiguous()))
            << target->name << " " << to_string(dtype) << " " << n;
      }
    }
  }
}

TEST(Attention, SameBitsForAnyNumberOfThreads) {
  const int before = num_threads();
  for (unsigned seed = 0; seed < case_count(14); ++seed) {
    Cases cases(seed);
    const Case one = make_case(cases, seed % 2 == 0 ? DType::float32 : DType::bfloat16);
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
