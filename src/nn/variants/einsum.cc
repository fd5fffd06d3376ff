// 4: the chapter's steps, each product an einsum. b, n and m count batch, queries and keys, h
// heads.

#include <cmath>
#include <limits>

#include "foveal/operations.h"
#include "nn/causal.h"
#include "nn/variants/parts.h"

namespace foveal::nn::variants {
namespace {

/// (d_in, d_out), drawn as PyTorch's kaiming_uniform_(a = sqrt(5)) draws it: as for a Linear whose
/// weight has that shape.
Tensor drawn(const MultiHeadAttentionOptions& options, Generator& generator) {
  return Linear(options.d_out, options.d_in, false, generator).weight.detach();
}

}  // namespace

Einsum::Einsum(const MultiHeadAttentionOptions& options, Generator& generator)
    : Variant("Einsum", options),
      W_query(drawn(options, generator)),
      W_key(drawn(options, generator)),
      W_value(drawn(options, generator)),
      out_proj(options.d_out, options.d_out, true, generator),
      dropout(options.dropout, generator),
      mask(drop_mask("Einsum", options.context_length)) {
  register_parameter("W_query", W_query);
  register_parameter("W_key", W_key);
  register_parameter("W_value", W_value);
  if (options.qkv_bias) {
    for (Tensor* const bias : {&bias_q, &bias_k, &bias_v}) *bias = Tensor::zeros({options.d_out});
    register_parameter("bias_q", bias_q);
    register_parameter("bias_k", bias_k);
    register_parameter("bias_v", bias_v);
  }
  register_module("out_proj", out_proj);
  register_module("dropout", dropout);
  register_buffer("mask", mask);
}

Tensor Einsum::forward(const Tensor& x) const {
  check(x);
  const auto projected = [&](const Tensor& weight, const Tensor& bias) {
    const Tensor product = einsum("bnd,do->bno", x, weight);
    return split_heads(bias.defined() ? product + bias : product, heads());
  };
  const Tensor queries = projected(W_query, bias_q), keys = projected(W_key, bias_k),
               values = projected(W_value, bias_v);
  const double root = std::sqrt(static_cast<double>(head_size()));
  Tensor scores = einsum("bhnd,bhmd->bhnm", queries, keys) / root;
  scores = masked_fill(scores, corner(mask, x.size(1)), -std::numeric_limits<double>::infinity());
  const Tensor weights = dropout.forward(softmax(scores, -1));
  return out_proj.forward(join_heads(einsum("bhnm,bhmd->bhnd", weights, values)));
}

Weights Einsum::weights() const {
  const auto turned = [](const Tensor& weight) { return copy_of(weight.transpose(0, 1)); };
  return {turned(W_query), turned(W_key),   turned(W_value),          copy_of(bias_q),
          copy_of(bias_k), copy_of(bias_v), copy_of(out_proj.weight), copy_of(out_proj.bias)};
}

void Einsum::set_weights(const Weights& weights) {
  require_fitting("Einsum", weights, options());
  assign(W_query, weights.query.transpose(0, 1));
  assign(W_key, weights.key.transpose(0, 1));
  assign(W_value, weights.value.transpose(0, 1));
  if (options().qkv_bias) {
    assign(bias_q, bias_or_zeros(weights.query_bias, weights.query));
    assign(bias_k, bias_or_zeros(weights.key_bias, weights.key));
    assign(bias_v, bias_or_zeros(weights.value_bias, weights.value));
  }
  assign(out_proj, weights.out, weights.out_bias);
}

}  // namespace foveal::nn::variants
