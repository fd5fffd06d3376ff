// When a plan reads the tensors of its options, and which shapes it refuses.

#include <gtest/gtest.h>

#include "attention/cases.h"
#include "errors.h"
#include "foveal/plan.h"

namespace foveal {
namespace {

constexpr std::int64_t kQueries = 6, kKeys = 9;

struct Inputs {
  Cases cases{4};
  Tensor query = cases.normal({1, 2, kQueries, 8}).to(DType::float32);
  Tensor key = cases.normal({1, 2, kKeys, 8}).to(DType::float32);

  Plan plan(const AttentionOptions& options) const {
    return plan_attention(query.shape(), key.shape(), key.shape(), DType::float32, options);
  }
  Tensor run(const Plan& plan) const { return plan.run(query, key, key).output; }
  Tensor attend(const AttentionOptions& options) const {
    return attention(query, key, key, options).output;
  }
};

TEST(PlanInputs, OfTheMaskAreASnapshot) {
  const Inputs inputs;
  Tensor visible = Tensor::ones({kQueries, kKeys}, DType::boolean);
  const Plan plan = inputs.plan({.mask = dense(visible)});
  const Tensor before = inputs.run(plan);
  visible.slice(1, 0, 5).fill_(0);
  EXPECT_TRUE(equal(inputs.run(plan), before));
  EXPECT_FALSE(equal(inputs.attend({.mask = dense(visible)}), before));
}

TEST(PlanInputs, OfPaddingAndDocumentAreCopiedAsTheMaskIsMade) {
  const Inputs inputs;
  Tensor lengths = Tensor::full({1}, 4, DType::int64);
  Tensor ids = Tensor::zeros({kKeys}, DType::int64);
  const Mask mask = padding(lengths) & document(ids);
  const Tensor before = inputs.attend({.mask = mask});
  lengths.fill_(2);
  ids.set({0}, 7);
  EXPECT_TRUE(equal(inputs.attend({.mask = mask}), before));
  EXPECT_FALSE(equal(inputs.attend({.mask = padding(lengths) & document(ids)}), before));
}

/// `write` changes a tensor of the options: a run after it must differ, and be that of a new plan.
void expect_live(const Inputs& inputs, const AttentionOptions& options,
                 const std::function<void()>& write) {
  const Plan plan = inputs.plan(options);
  const Tensor before = inputs.run(plan);
  write();
  const Tensor after = inputs.run(plan);
  EXPECT_FALSE(equal(after, before));
  EXPECT_TRUE(equal(after, inputs.attend(options)));
}

TEST(PlanInputs, OfScoresAreReadAtEachRun) {
  const Inputs inputs;
  AttentionOptions options;
  options.bias = Tensor::zeros({kKeys});
  expect_live(inputs, options, [&] { options.bias.set({2}, 3); });
  options = {};
  options.alibi_slopes = Tensor::zeros({2});
  expect_live(inputs, options, [&] { options.alibi_slopes.set({1}, 0.5); });
  options = {};
  options.sinks = Tensor::zeros({2});
  expect_live(inputs, options, [&] { options.sinks.set({0}, 2); });
  options = {};
  options.dropout = 0.5;
  options.dropout_mask = Tensor::ones({kQueries, kKeys}, DType::boolean);
  expect_live(inputs, options, [&] { options.dropout_mask.set({0, 3}, 0); });
}

std::string complaint(const Shape& query, const Shape& key, const AttentionOptions& options = {}) {
  return message_of([&] { plan_attention(query, key, key, DType::float32, options); });
}

TEST(PlanInputs, OfSizesBeyondCountingAreRefused) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  for (const Shape& shape : {Shape{1, 1, kHuge, 8}, Shape{kHuge, 1, 1 << 20, 1},
                             Shape{1, 1, 1, kHuge << 20}, Shape{0, 1, 1, kHuge << 20}}) {
    const std::string text = complaint(shape, shape);
    EXPECT_NE(text.find("more than 63 bits can count"), std::string::npos) << text;
    EXPECT_NE(text.find(to_string(shape)), std::string::npos) << text;
  }
  const Shape long_one{0, 1, (std::int64_t{1} << 62) + 1, 1};
  EXPECT_NE(complaint(long_one, long_one).find("63 bits"), std::string::npos);
}

TEST(PlanInputs, OfListsAndResultsBeyondMemoryAreRefused) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 42;
  const std::string text = complaint({1, 1, kHuge, 1}, {1, 1, 1, 1});
  EXPECT_NE(text.find("doesn't fit in memory"), std::string::npos) << text;
  AttentionOptions options;
  options.statistics.top_k = 1 << 30;
  const std::string results = complaint({1, 1, std::int64_t{1} << 36, 1}, {1, 1, 1, 1}, options);
  EXPECT_NE(results.find("more bytes than 63 bits"), std::string::npos) << results;
}

TEST(PlanInputs, OfLongSequencesUnderAWindowAreTaken) {
  const Shape shape{1, 32, 1 << 20, 128};
  EXPECT_EQ(complaint(shape, shape, {.mask = window(1023, 0)}), "no error");
}

TEST(PlanInputs, OfManyEntriesWithoutHeadsTakeNoTime) {
  const Shape shape{std::int64_t{1} << 40, 0, 1, 8};
  const Tensor none = Tensor::zeros(shape);
  AttentionOptions options;
  options.return_lse = true;
  const AttentionResult result = attention(none, none, none, options);
  EXPECT_EQ(attention_backward(none, none, none, none, result, options).k.shape(), shape);
}

}  // namespace
}  // namespace foveal
