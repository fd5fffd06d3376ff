// 2: the chapter's MultiHeadAttention: three projections for all heads, then step by step.

#include "nn/causal.h"
#include "nn/variants/parts.h"

namespace foveal::nn::variants {

Chapter::Chapter(const MultiHeadAttentionOptions& options, Generator& generator)
    : Variant("Chapter", options),
      W_query(options.d_in, options.d_out, options.qkv_bias, generator),
      W_key(options.d_in, options.d_out, options.qkv_bias, generator),
      W_value(options.d_in, options.d_out, options.qkv_bias, generator),
      out_proj(options.d_out, options.d_out, true, generator),
      dropout(options.dropout, generator),
      mask(drop_mask("Chapter", options.context_length)) {
  register_module("W_query", W_query);
  register_module("W_key", W_key);
  register_module("W_value", W_value);
  register_module("out_proj", out_proj);
  register_module("dropout", dropout);
  register_buffer("mask", mask);
}

Tensor Chapter::forward(const Tensor& x) const {
  check(x);
  const Tensor keys = split_heads(W_key.forward(x), heads());
  const Tensor queries = split_heads(W_query.forward(x), heads());
  const Tensor values = split_heads(W_value.forward(x), heads());
  const Tensor context = step_by_step(queries, keys, values, corner(mask, x.size(1)), dropout);
  return out_proj.forward(join_heads(context));
}

Weights Chapter::weights() const {
  return {copy_of(W_query.weight),  copy_of(W_key.weight), copy_of(W_value.weight),
          copy_of(W_query.bias),    copy_of(W_key.bias),   copy_of(W_value.bias),
          copy_of(out_proj.weight), copy_of(out_proj.bias)};
}

void Chapter::set_weights(const Weights& weights) {
  require_fitting("Chapter", weights, options());
  assign(W_query, weights.query, weights.query_bias);
  assign(W_key, weights.key, weights.key_bias);
  assign(W_value, weights.value, weights.value_bias);
  assign(out_proj, weights.out, weights.out_bias);
}

}  // namespace foveal::nn::variants
