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

TEST(IntoRefused, WhatIsRefusedForItsTermsWritesNothing) {
  const Tensor x = Tensor::ones({1, 2, 3, 4}).to(DType::float32);
  AttentionOptions options;
  options.sinks = Tensor::full({2}, 1e300, DType::float64);
  const Tensor seven = Tensor::full({1, 2, 3, 4}, 7), rows = Tensor::full({1, 2, 3}, 7);
  AttentionState state{seven.clone(), rows.clone(), rows.clone()};
  EXPECT_THROW(attention_state_into(state, x, x, x, options), Error);
  EXPECT_TRUE(equal(state.output, seven));
  EXPECT_TRUE(equal(state.maximum, rows));
  options.return_weights = true;
  AttentionResult result;
  result.weights = Tensor::full({1, 2, 3, 3}, 7);
  EXPECT_THROW(attention_into(result, x, x, x, options), Error);
  EXPECT_TRUE(equal(result.weights, Tensor::full({1, 2, 3, 3}, 7)));
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
