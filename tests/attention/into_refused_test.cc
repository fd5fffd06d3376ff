// Results in the caller's memory where a call is refused, or ended: what was there stays.

#include <gtest/gtest.h>

#include "foveal/error.h"
#include "foveal/foveal.h"
#include "foveal/plan.h"

namespace foveal {
namespace {

TEST(IntoRefused, AnInputOfAnyStridesIsNotWrittenOver) {
  const Tensor memory = Tensor::ones({1, 1, 64, 16});
  const Tensor key = memory.transpose(2, 3);  // (1, 1, 16, 64)
  const Tensor query = Tensor::ones({1, 1, 4, 64}), value = Tensor::ones({1, 1, 16, 16});
  AttentionResult result;
  result.output = memory.slice(2, 40, 44);
  EXPECT_THROW(attention_into(result, query, key, value), Error);
  EXPECT_TRUE(equal(memory, Tensor::ones({1, 1, 64, 16})));
  result.output = Tensor::zeros({1, 1, 4, 16});
  attention_into(result, query, key, value);
  EXPECT_TRUE(equal(result.output, Tensor::ones({1, 1, 4, 16})));
}

/// Terms that float32 can't hold, in walks that decode (3 queries) and that go by tiles (80).
TEST(IntoRefused, WhatIsRefusedForItsTermsWritesNothing) {
  for (const std::int64_t length : {3, 80}) {
    const Tensor x = Tensor::ones({1, 2, length, 4});
    const Shape scores{1, 2, length, length};
    for (const char* const term : {"sinks", "alibi_slopes", "bias"}) {
      SCOPED_TRACE(std::string(term) + " " + std::to_string(length));
      AttentionOptions options;
      const auto large = [](const Shape& shape) {
        return Tensor::full(shape, 1e300, DType::float64);
      };
      if (term == std::string("sinks")) options.sinks = large({2});
      if (term == std::string("alibi_slopes")) options.alibi_slopes = large({2});
      if (term == std::string("bias")) options.bias = large(scores);
      const auto seven = [](const Shape& shape) { return Tensor::full(shape, 7); };
      const auto all_seven = [&](const Tensor& tensor) {
        return equal(tensor, seven(tensor.shape()));
      };
      AttentionState state{seven(x.shape()), seven({1, 2, length}), seven({1, 2, length})};
      EXPECT_THROW(attention_state_into(state, x, x, x, options), Error);
      EXPECT_TRUE(all_seven(state.output) && all_seven(state.maximum) && all_seven(state.sum));
      AttentionState fresh;
      fresh.sum = state.sum;
      EXPECT_THROW(attention_state_into(fresh, x, x, x, options), Error);
      EXPECT_FALSE(fresh.output.defined() || fresh.maximum.defined());
      EXPECT_TRUE(fresh.sum.defined());
      options.return_weights = true;
      AttentionResult result;
      result.weights = seven(scores);
      result.output = seven(x.shape());
      EXPECT_THROW(attention_into(result, x, x, x, options), Error);
      EXPECT_TRUE(all_seven(result.weights) && all_seven(result.output));
    }
  }
}

TEST(IntoRefused, MemoryIsAskedForBeforeAnyWorkWhateverIsGiven) {
  const Tensor query = Tensor::ones({1, 1, 1000, 1});
  const Tensor key = Tensor::ones({1, 1, 1, 1}).expand({1, 1, 1 << 30, 1});
  AttentionOptions options;
  options.statistics.rows.assign(1000, 0);
  AttentionResult result;
  result.output = Tensor::full({1, 1, 1000, 1}, 7);
  try {
    attention_into(result, query, key, key, options);
    ADD_FAILURE() << "a terabyte was there";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("attention_into: results take"), std::string::npos)
        << error.what();
  }
  EXPECT_TRUE(equal(result.output, Tensor::full({1, 1, 1000, 1}, 7)));
}

TEST(IntoRefused, AResultMayBeUsedAgainAfterAStop) {
  const Tensor x = Tensor::ones({1, 4, 200, 8});
  bool stops = true;
  AttentionOptions options;
  options.return_weights = true;
  options.stop = [](void* user) { return *static_cast<bool*>(user); };
  options.stop_user = &stops;
  const Plan plan = plan_attention(x.shape(), x.shape(), x.shape(), x.dtype(), options);
  AttentionResult result;
  EXPECT_THROW(plan.run_into(result, x, x, x), Error);
  stops = false;
  plan.run_into(result, x, x, x);
  EXPECT_TRUE(equal(result.output, plan.run(x, x, x).output));
  EXPECT_FALSE(result.lse.defined());
}

}  // namespace
}  // namespace foveal
