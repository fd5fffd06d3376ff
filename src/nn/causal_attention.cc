#include "foveal/nn/attention.h"
#include "foveal/reference.h"
#include "nn/causal.h"
#include "nn/checks.h"

namespace foveal::nn {
namespace {

/// Both classes compute the same. They differ in who knows of the mask.
template <class Layer>
Tensor causal_attention(const Layer& layer, const Tensor& x) {
  const Tensor keys = layer.W_key.forward(x);
  const Tensor queries = layer.W_query.forward(x);
  const Tensor values = layer.W_value.forward(x);

  const Tensor attn_weights = layer.dropout.forward(causal_weights(queries, keys, layer.mask));
  return reference::context(attn_weights, values);
}

}  // namespace

CausalAttention::CausalAttention(const CausalAttentionOptions& options, Generator& generator)
    : W_query(options.d_in, options.d_out, options.qkv_bias, generator),
      W_key(options.d_in, options.d_out, options.qkv_bias, generator),
      W_value(options.d_in, options.d_out, options.qkv_bias, generator),
      dropout(options.dropout, generator),
      mask(drop_mask("CausalAttention", options.context_length)) {
  register_module("W_query", W_query);
  register_module("W_key", W_key);
  register_module("W_value", W_value);
  register_module("dropout", dropout);
  register_buffer("mask", mask);
}

Tensor CausalAttention::forward(const Tensor& x) const {
  check_batch("CausalAttention", x, W_query.weight.size(1), mask.size(0));
  return causal_attention(*this, x);
}

CausalAttentionWithoutBuffers::CausalAttentionWithoutBuffers(const CausalAttentionOptions& options,
                                                             Generator& generator)
    : W_query(options.d_in, options.d_out, options.qkv_bias, generator),
      W_key(options.d_in, options.d_out, options.qkv_bias, generator),
      W_value(options.d_in, options.d_out, options.qkv_bias, generator),
      dropout(options.dropout, generator),
      mask(drop_mask("CausalAttentionWithoutBuffers", options.context_length)) {
  register_module("W_query", W_query);
  register_module("W_key", W_key);
  register_module("W_value", W_value);
  register_module("dropout", dropout);
}

Tensor CausalAttentionWithoutBuffers::forward(const Tensor& x) const {
  check_batch("CausalAttentionWithoutBuffers", x, W_query.weight.size(1), mask.size(0));
  return causal_attention(*this, x);
}

}  // namespace foveal::nn
