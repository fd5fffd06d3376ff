#include "core/door.h"
#include "foveal/nn/attention.h"
#include "nn/causal.h"
#include "nn/checks.h"

namespace foveal::nn {
namespace {

/// Both classes compute the same. They differ in who knows of the mask.
template <class Layer>
Tensor attend(const Layer& layer, const Tensor& x, bool fused) {
  const Tensor keys = layer.W_key.forward(x);
  const Tensor queries = layer.W_query.forward(x);
  const Tensor values = layer.W_value.forward(x);
  return causal_context(queries, keys, values, MaskOf::layer(layer), layer.dropout, fused);
}

}  // namespace

Tensor causal_attention(const CausalAttention& layer, const Tensor& x, bool fused) {
  check_batch("CausalAttention", x, layer.W_query.weight.size(1), layer.mask.size(0));
  return attend(layer, x, fused);
}

CausalAttention::CausalAttention(const CausalAttentionOptions& options, Generator& generator)
    : W_query(options.d_in, options.d_out, options.qkv_bias, generator),
      W_key(options.d_in, options.d_out, options.qkv_bias, generator),
      W_value(options.d_in, options.d_out, options.qkv_bias, generator),
      dropout(options.dropout, generator),
      mask(drop_mask("CausalAttention", options.context_length)),
      look_(std::make_shared<MaskLook>()) {
  register_module("W_query", W_query);
  register_module("W_key", W_key);
  register_module("W_value", W_value);
  register_module("dropout", dropout);
  register_buffer("mask", mask);
}

Tensor CausalAttention::forward(const Tensor& x) const try {
  return causal_attention(*this, x, fused);
} catch (...) {
  rethrow_as_error("CausalAttention");
}

CausalAttentionWithoutBuffers::CausalAttentionWithoutBuffers(const CausalAttentionOptions& options,
                                                             Generator& generator)
    : W_query(options.d_in, options.d_out, options.qkv_bias, generator),
      W_key(options.d_in, options.d_out, options.qkv_bias, generator),
      W_value(options.d_in, options.d_out, options.qkv_bias, generator),
      dropout(options.dropout, generator),
      mask(drop_mask("CausalAttentionWithoutBuffers", options.context_length)),
      look_(std::make_shared<MaskLook>()) {
  register_module("W_query", W_query);
  register_module("W_key", W_key);
  register_module("W_value", W_value);
  register_module("dropout", dropout);
}

Tensor CausalAttentionWithoutBuffers::forward(const Tensor& x) const try {
  check_batch("CausalAttentionWithoutBuffers", x, W_query.weight.size(1), mask.size(0));
  return attend(*this, x, fused);
} catch (...) {
  rethrow_as_error("CausalAttentionWithoutBuffers");
}

}  // namespace foveal::nn
