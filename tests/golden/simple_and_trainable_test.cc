// Sections 3.3 and 3.4: attention without and with trainable weights.

#include <cmath>

#include "golden/golden.h"

namespace foveal {
namespace {

const double kRootOfTwo = std::sqrt(2.0);

Tensor simple_scores_query2() {
  const Tensor inputs = chapter_inputs();
  return matmul(inputs, inputs[1]);
}

Tensor simple_weights_all() {
  const Tensor inputs = chapter_inputs();
  return softmax(matmul(inputs, inputs.transpose(0, 1)), -1);
}

/// Query, key and value matrix of section 3.4.1.
struct Trainable {
  Tensor W_query, W_key, W_value;

  Trainable() {
    Generator generator(123);
    W_query = rand({3, 2}, generator);
    W_key = rand({3, 2}, generator);
    W_value = rand({3, 2}, generator);
  }

  Tensor query_2() const { return matmul(chapter_inputs()[1], W_query); }
  Tensor keys() const { return matmul(chapter_inputs(), W_key); }
  Tensor values() const { return matmul(chapter_inputs(), W_value); }
  Tensor scores_2() const { return matmul(query_2(), keys().transpose(0, 1)); }
  Tensor weights_2() const { return softmax(scores_2() / kRootOfTwo, -1); }
};

TEST_F(Golden, simple_scores_query2) {
  const Tensor inputs = given("/values/inputs");
  expect_close("/values/attn_scores_2", matmul(inputs, inputs[1]));
  for (std::int64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(dot(inputs[i], inputs[1]).item(), matmul(inputs, inputs[1]).at({i}));
  }
}

TEST_F(Golden, simple_weights_sum) {
  const Tensor scores = simple_scores_query2();
  expect_close("/values/attn_weights_2_tmp", scores / sum(scores));
}

TEST_F(Golden, simple_weights_naive_softmax) {
  const Tensor scores = simple_scores_query2();
  expect_close("/values/attn_weights_2_naive", exp(scores) / sum(exp(scores)));
}

TEST_F(Golden, simple_weights_softmax) {
  expect_close("/values/attn_weights_2", softmax(simple_scores_query2(), -1));
  const Tensor one_row = simple_scores_query2().unsqueeze(0);
  expect_close("/values/attn_weights_2", reference::weights(one_row).squeeze(0));
}

TEST_F(Golden, simple_context_query2) {
  const Tensor weights = softmax(simple_scores_query2(), -1);
  expect_close("/values/context_vec_2", matmul(weights, chapter_inputs()));
}

TEST_F(Golden, simple_scores_all) {
  const Tensor inputs = chapter_inputs();
  expect_close("/values/attn_scores", matmul(inputs, inputs.transpose(0, 1)));
  expect_close("/values/attn_scores", reference::scores(inputs, inputs));
}

TEST_F(Golden, simple_weights_all) { expect_close("/values/attn_weights", simple_weights_all()); }

TEST_F(Golden, simple_context_all) {
  const Tensor inputs = chapter_inputs();
  expect_close("/values/all_context_vecs", matmul(simple_weights_all(), inputs));
  const reference::Stages stages = reference::attention(inputs, inputs, inputs, {.scale = 1.0});
  expect_close("/values/all_context_vecs", stages.context);
}

TEST_F(Golden, trainable_weights) {
  EXPECT_EQ(seed(), 123u);
  const Trainable trainable;
  expect_equal("/values/W_query", trainable.W_query);
  expect_equal("/values/W_key", trainable.W_key);
  expect_equal("/values/W_value", trainable.W_value);
}

TEST_F(Golden, trainable_projections) {
  const Trainable trainable;
  expect_close("/values/query_2", trainable.query_2());
  expect_close("/values/keys", trainable.keys());
  expect_close("/values/values", trainable.values());
}

TEST_F(Golden, trainable_scores_query2) {
  const Trainable trainable;
  expect_close("/values/attn_score_22", dot(trainable.query_2(), trainable.keys()[1]));
  expect_close("/values/attn_scores_2", trainable.scores_2());
}

TEST_F(Golden, trainable_weights_query2) {
  expect_close("/values/attn_weights_2", Trainable().weights_2());
}

TEST_F(Golden, trainable_context_query2) {
  const Trainable trainable;
  expect_close("/values/context_vec_2", matmul(trainable.weights_2(), trainable.values()));
}

TEST_F(Golden, self_attention_v1) {
  Generator generator(seed());
  const nn::SelfAttention_v1 module(3, 2, generator);
  expect_state("/parameters", module);
  expect_close("/output", module.forward(chapter_inputs()));
}

TEST_F(Golden, self_attention_v2) {
  Generator generator(seed());
  const nn::SelfAttention_v2 module(3, 2, generator);
  expect_state("/parameters", module);
  expect_close("/output", module.forward(chapter_inputs()));
}

TEST_F(Golden, exercise_3_1) {
  Generator generator(seed());
  const nn::SelfAttention_v2 v2(3, 2, generator);
  nn::SelfAttention_v1 v1(3, 2, generator);
  expect_state("/parameters", v2);
  v1.load_state_dict({{"W_query", v2.W_query.weight.transpose(0, 1)},
                      {"W_key", v2.W_key.weight.transpose(0, 1)},
                      {"W_value", v2.W_value.weight.transpose(0, 1)}});
  expect_close("/output", v1.forward(chapter_inputs()));
  expect_close("/output", v2.forward(chapter_inputs()));
}

/// Arithmetic in float64, as the trace does it.
TEST_F(Golden, the_cat_sat) {
  const Tensor X = given("/values/X", DType::float64);
  const Tensor Q = matmul(X, given("/values/W_Q", DType::float64));
  const Tensor K = matmul(X, given("/values/W_K", DType::float64));
  const Tensor V = matmul(X, given("/values/W_V", DType::float64));
  expect_equal("/values/Q", Q);
  expect_equal("/values/K", K);
  expect_equal("/values/V", V);
  const reference::Stages unscaled = reference::attention(Q, K, V, {.scale = 1.0});
  expect_equal("/values/scores", unscaled.scores);
  expect_close("/values/weights_unscaled", unscaled.weights);
  expect_close("/values/context_unscaled", unscaled.context);
  const reference::Stages scaled = reference::attention(Q, K, V);
  expect_close("/values/weights_scaled", scaled.weights);
  expect_close("/values/context_scaled", scaled.context);

  // The slip: the key of sat read as [0, 1] gives what was printed, to its two decimals.
  Tensor misread = K.clone();
  misread.set({2, 0}, 0);
  const reference::Stages slipped = reference::attention(Q, misread, V, {.scale = 1.0});
  expect_equal("/printed/scores_The", slipped.scores[0]);
  const Tensor weights = given("/printed/weights_The", DType::float64);
  const Tensor context = given("/printed/context_The", DType::float64);
  EXPECT_TRUE(allclose(slipped.weights[0], weights, 0, 0.005));
  EXPECT_TRUE(allclose(slipped.context[0], context, 0, 0.005));
}

}  // namespace
}  // namespace foveal
