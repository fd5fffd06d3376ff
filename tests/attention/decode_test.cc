// A few queries against many keys: the decode path against attention written out in float64.

#include <gtest/gtest.h>

#include "attention/cases.h"
#include "attention/guarded.h"
#include "attention/naive.h"
#include "attention/plan/plan_data.h"
#include "attention/shrink.h"
#include "case_count.h"
#include "foveal/attention.h"
#include "foveal/operations.h"
#include "foveal/plan.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

bool decodes(const Case& one) {
  const Plan plan = plan_attention(one.query.shape(), one.key.shape(), one.value.shape(),
                                   one.query.dtype(), one.options);
  return plan.data().sequences.front().decode;
}

/// Lengths around a vector, a word of mask bits, a chunk and a split; every option of make_case.
Case make_decode_case(Cases& cases, DType dtype) {
  for (;;) {
    Case one = make_case(cases, dtype);
    if (one.key.size(1) == 0) continue;  // nothing is decoded
    const std::int64_t group = one.query.size(1) / one.key.size(1);
    const std::int64_t queries = cases.number(1, 8 / group), batch = one.query.size(0);
    const std::int64_t keys = cases.pick({0, 1, 3, 15, 16, 17, 64, 65, 255, 256, 257, 600, 1023,
                                          1024, 1025, 2047, 2048, 2049, 4097});
    const std::int64_t heads = one.query.size(1), kv = one.key.size(1), d = one.key.size(3);
    one.query = cases.normal({batch, heads, queries, d}, cases.chance(10) ? 30 : 1).to(dtype);
    one.key = cases.normal({batch, keys, kv, d}).to(dtype).transpose(1, 2);
    one.value = cases.normal({batch, kv, keys, one.value.size(3)}).to(dtype);
    AttentionOptions& options = one.options;
    if (options.bias.defined()) {
      options.bias = cases.normal({cases.chance(50) ? batch : 1, heads, queries, keys});
      options.bias =
          masked_fill(options.bias, gt(cases.normal(options.bias.shape()), 1.0), -INFINITY);
      options.bias = options.bias.to(dtype);
    }
    if (options.dropout_mask.defined()) {
      options.dropout_mask = gt(cases.normal({batch, 1, queries, keys}), 0.0);
    }
    switch (cases.number(0, 4)) {
      case 0:
        options.mask = causal(Corner::bottom_right) & window(cases.number(0, 3000), -1);
        break;
      case 1:
        options.mask =
            padding(std::vector<std::int64_t>(static_cast<std::size_t>(batch), keys / 2));
        break;
      case 2:
        options.mask = dense(gt(cases.normal({1, heads, queries, keys}), 0.0));
        break;
      case 3:
        options.mask = causal(Corner::top_left);
        break;
      default:
        options.mask = none();
        break;
    }
    return one;
  }
}

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
        Cases cases(seed + 77);
        Case one = make_decode_case(cases, dtype);
        one.options.target = target;
        EXPECT_TRUE(decodes(one));
        return one;
      },
      [&](const Case& one) { check_case(one, unit); });
}

TEST(Decode, EqualsTheFormulaOnEveryTarget) {
  for (const Target* target : usable_targets()) {
    run_cases(target->name, DType::float32, 0x1p-22, 30);
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::float64, 0x1p-50, 10);
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::bfloat16, 0x1p-8 / 16, 10);
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::float16, 0x1p-11 / 16, 10);
    if (HasFatalFailure()) return;
  }
}

TEST(Decode, SameBitsForAnyNumberOfThreadsAndAnyBatch) {
  const int before = num_threads();
  for (unsigned seed = 0; seed < case_count(7); ++seed) {
    Cases cases(seed);
    Case one = make_decode_case(cases, DType::float32);
    one.options.mask = causal(Corner::bottom_right);
    one.options.dropout = 0;
    one.options.dropout_mask = {};
    one.options.bias = {};
    set_num_threads(1);
    const AttentionResult first = attention(one.query, one.key, one.value, one.options);
    for (int threads : {2, 3, 8}) {
      set_num_threads(threads);
      EXPECT_TRUE(
          equal(attention(one.query, one.key, one.value, one.options).output, first.output));
    }
    const auto entry = [](const Tensor& tensor) { return tensor.slice(0, 0, 1); };
    const AttentionResult alone =
        attention(entry(one.query), entry(one.key), entry(one.value), one.options);
    EXPECT_TRUE(equal(alone.output, entry(first.output))) << seed;
  }
  set_num_threads(before);
}

TEST(Decode, HiddenKeysAndValuesNeverReachTheResult) {
  for (const Target* target : usable_targets()) {
    for (const bool by_bias : {false, true}) {
      Cases cases(5);
      Case one;
      one.query = cases.normal({1, 4, 2, 20}).to(DType::float32);
      one.key = cases.normal({1, 2, 700, 20}).to(DType::float32);
      one.value = cases.normal({1, 2, 700, 9}).to(DType::float32);
      one.options.target = target->name;
      const Tensor seen = gt(cases.normal({1, 1, 1, 700}), 0.0);
      if (by_bias) {
        one.options.bias =
            masked_fill(Tensor::full({1, 1, 1, 700}, -INFINITY, DType::float32), seen, 0);
      } else {
        one.options.mask = dense(seen);
      }
      const Tensor clean = attention(one.query, one.key, one.value, one.options).output;
      for (std::int64_t key = 0; key < 700; ++key) {
        if (seen.at({0, 0, 0, key}) != 0) continue;
        one.key.slice(2, key, key + 1).fill_(by_bias ? 1e30 : NAN);
        one.value.slice(2, key, key + 1).fill_(key % 2 ? NAN : INFINITY);
      }
      EXPECT_TRUE(equal(attention(one.query, one.key, one.value, one.options).output, clean));
    }
  }
}

TEST(Decode, StaysWithinItsArrays) {
  for (const Target* target : usable_targets()) {
    for (Guard guard : {Guard::before, Guard::after}) {
      for (unsigned seed = 0; seed < case_count(14); ++seed) {
        Cases cases(seed);
        const DType dtypes[] = {DType::float32, DType::bfloat16, DType::float16, DType::float64};
        Case one = make_decode_case(cases, dtypes[seed % 4]);
        one.options.target = target->name;
        for (Tensor* tensor : {&one.query, &one.key, &one.value, &one.options.dropout_mask}) {
          if (tensor->defined()) *tensor = guarded(*tensor, guard);
        }
        attention(one.query, one.key, one.value, one.options);
      }
    }
  }
}

}  // namespace
}  // namespace foveal
