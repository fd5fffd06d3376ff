#include "core/door.h"
#include "foveal/nn/attention.h"
#include "foveal/operations.h"
#include "foveal/random.h"
#include "foveal/reference.h"
#include "nn/causal.h"
#include "nn/checks.h"
#include "nn/fused.h"

namespace foveal::nn {

SelfAttention_v1::SelfAttention_v1(std::int64_t d_in, std::int64_t d_out, Generator& generator) {
  check_at_least_one("SelfAttention_v1", "d_in", d_in);
  check_at_least_one("SelfAttention_v1", "d_out", d_out);
  W_query = rand({d_in, d_out}, generator);
  W_key = rand({d_in, d_out}, generator);
  W_value = rand({d_in, d_out}, generator);
  register_parameter("W_query", W_query);
  register_parameter("W_key", W_key);
  register_parameter("W_value", W_value);
}

Tensor SelfAttention_v1::forward(const Tensor& x) const try {
  check_tokens("SelfAttention_v1", x, W_query.size(0));
  const Tensor keys = matmul(x, W_key);
  const Tensor queries = matmul(x, W_query);
  const Tensor values = matmul(x, W_value);

  if (fused) return fused_context(queries, keys, values);
  const Tensor attn_scores = reference::scores(queries, keys);
  const Tensor attn_weights =
      reference::weights(reference::scaled_scores(attn_scores, scale_of(keys)));
  return reference::context(attn_weights, values);
} catch (...) {
  rethrow_as_error("SelfAttention_v1");
}

SelfAttention_v2::SelfAttention_v2(std::int64_t d_in, std::int64_t d_out, Generator& generator,
                                   bool qkv_bias)
    : W_query(d_in, d_out, qkv_bias, generator),
      W_key(d_in, d_out, qkv_bias, generator),
      W_value(d_in, d_out, qkv_bias, generator) {
  register_module("W_query", W_query);
  register_module("W_key", W_key);
  register_module("W_value", W_value);
}

Tensor SelfAttention_v2::forward(const Tensor& x) const try {
  check_tokens("SelfAttention_v2", x, W_query.weight.size(1));
  const Tensor keys = W_key.forward(x);
  const Tensor queries = W_query.forward(x);
  const Tensor values = W_value.forward(x);

  if (fused) return fused_context(queries, keys, values);
  const Tensor attn_scores = reference::scores(queries, keys);
  const Tensor attn_weights =
      reference::weights(reference::scaled_scores(attn_scores, scale_of(keys)));
  return reference::context(attn_weights, values);
} catch (...) {
  rethrow_as_error("SelfAttention_v2");
}

}  // namespace foveal::nn
