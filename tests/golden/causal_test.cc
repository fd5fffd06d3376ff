// Section 3.5 and the bonus part on buffers: masks and dropout.

#include <cmath>
#include <limits>

#include "golden/golden.h"

namespace foveal {
namespace {

const double kInfinity = std::numeric_limits<double>::infinity();
const double kRootOfTwo = std::sqrt(2.0);

/// Scores of section 3.5.1: queries and keys of the module that seed 789 gives.
Tensor causal_scores() {
  Generator generator(789);
  const nn::SelfAttention_v2 module(3, 2, generator);
  const Tensor queries = module.W_query.forward(chapter_inputs());
  const Tensor keys = module.W_key.forward(chapter_inputs());
  return matmul(queries, keys.transpose(0, 1));
}

Tensor weights_without_mask() { return softmax(causal_scores() / kRootOfTwo, -1); }

Tensor masked_after_softmax() { return weights_without_mask() * tril(Tensor::ones({6, 6})); }

Tensor masked_scores() {
  const Tensor mask = triu(Tensor::ones({6, 6}), 1).to(DType::boolean);
  return masked_fill(causal_scores(), mask, -kInfinity);
}

Tensor causal_weights() { return softmax(masked_scores() / kRootOfTwo, -1); }

nn::CausalAttentionOptions small_options() {
  return {.d_in = 3, .d_out = 2, .context_length = 6, .dropout = 0.0};
}

TEST_F(Golden, causal_weights_unmasked) {
  expect_close("/values/attn_scores", causal_scores());
  expect_close("/values/attn_weights", weights_without_mask());
}

TEST_F(Golden, causal_tril_mask) {
  expect_equal("/values/mask_simple", tril(Tensor::ones({6, 6})));
  expect_equal("/values/mask_simple", reference::causal_mask(6, 6));
}

TEST_F(Golden, causal_masked_after_softmax) {
  expect_close("/values/masked_simple", masked_after_softmax());
}

TEST_F(Golden, causal_renormalised) {
  const Tensor masked = masked_after_softmax();
  expect_close("/values/masked_simple_norm", masked / sum(masked, -1, true));
}

TEST_F(Golden, causal_masked_scores) {
  expect_close("/values/masked", masked_scores());
  const Tensor mask = reference::causal_mask(6, 6);
  expect_close("/values/masked", reference::masked_scores(causal_scores(), mask));
}

TEST_F(Golden, causal_weights) { expect_close("/values/attn_weights", causal_weights()); }

TEST_F(Golden, dropout_ones) {
  Generator generator(seed());
  const double p = at("/p").get<double>();
  expect_equal("/output", dropout(Tensor::ones({6, 6}), p, generator));
  generator.seed(seed());
  expect_equal("/output", dropout_mask({6, 6}, p, generator) / (1 - p));
}

TEST_F(Golden, dropout_weights) {
  const double p = at("/p").get<double>();
  Generator generator(seed());
  expect_close("/output", dropout(causal_weights(), p, generator));
  generator.seed(seed());
  const Tensor kept = dropout_mask({6, 6}, p, generator);
  expect_close("/output", reference::dropped_weights(causal_weights(), kept, p));
}

TEST_F(Golden, causal_attention) {
  Generator generator(seed());
  const nn::CausalAttention module(small_options(), generator);
  expect_state("/parameters", module);
  expect_close("/output", module.forward(chapter_batch()));
}

TEST_F(Golden, buffers) {
  Generator generator(seed());
  const nn::CausalAttentionWithoutBuffers without(small_options(), generator);
  const nn::CausalAttention with(small_options(), generator);
  expect_state("/without_parameters", without);
  expect_close("/without_output", without.forward(chapter_batch()));
  expect_state("/with_parameters", with);
  expect_close("/with_output", with.forward(chapter_batch()));
}

}  // namespace
}  // namespace foveal
