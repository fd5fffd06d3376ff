#include "core/door.h"
#include "foveal/error.h"
#include "foveal/nn/attention.h"
#include "foveal/operations.h"
#include "nn/causal.h"
#include "nn/checks.h"

namespace foveal::nn {
namespace {

/// Each head gets x; their outputs stand side by side along the last axis.
Tensor side_by_side(const std::vector<std::unique_ptr<CausalAttention>>& heads, const Tensor& x,
                    bool fused) {
  std::vector<Tensor> outputs;
  outputs.reserve(heads.size());
  for (const auto& head : heads) {
    outputs.push_back(causal_attention(*head, x, fused || head->fused));
  }
  return cat(outputs, -1);
}

std::vector<std::unique_ptr<CausalAttention>> make_heads(const std::string& layer,
                                                         const CausalAttentionOptions& options,
                                                         std::int64_t num_heads,
                                                         Generator& generator, ModuleList* list) {
  check_at_least_one(layer, "num_heads", num_heads);
  std::vector<std::unique_ptr<CausalAttention>> heads;
  for (std::int64_t head = 0; head < num_heads; ++head) {
    heads.push_back(std::make_unique<CausalAttention>(options, generator));
    list->append(*heads.back());
  }
  return heads;
}

std::int64_t head_size(const MultiHeadAttentionOptions& options) {
  check_at_least_one("MultiHeadAttention", "num_heads", options.num_heads);
  if (options.d_out % options.num_heads == 0) return options.d_out / options.num_heads;
  throw Error("MultiHeadAttention: d_out is " + std::to_string(options.d_out) + " and num_heads " +
              std::to_string(options.num_heads) + ": d_out must be divisible by num_heads");
}

}  // namespace

MultiHeadAttentionWrapper::MultiHeadAttentionWrapper(const CausalAttentionOptions& options,
                                                     std::int64_t num_heads, Generator& generator)
    : heads(make_heads("MultiHeadAttentionWrapper", options, num_heads, generator, &list_)) {
  register_module("heads", list_);
}

Tensor MultiHeadAttentionWrapper::forward(const Tensor& x) const try {
  return side_by_side(heads, x, fused);
} catch (...) {
  rethrow_as_error("MultiHeadAttentionWrapper");
}

MultiHeadAttentionWrapperWithProjection::MultiHeadAttentionWrapperWithProjection(
    const CausalAttentionOptions& options, std::int64_t num_heads, Generator& generator)
    : heads(make_heads("MultiHeadAttentionWrapperWithProjection", options, num_heads, generator,
                       &list_)),
      out_proj(num_heads * options.d_out, num_heads * options.d_out, true, generator) {
  register_module("heads", list_);
  register_module("out_proj", out_proj);
}

Tensor MultiHeadAttentionWrapperWithProjection::forward(const Tensor& x) const try {
  return out_proj.forward(side_by_side(heads, x, fused));
} catch (...) {
  rethrow_as_error("MultiHeadAttentionWrapperWithProjection");
}

MultiHeadAttention::MultiHeadAttention(const MultiHeadAttentionOptions& options,
                                       Generator& generator)
    : W_query(options.d_in, options.d_out, options.qkv_bias, generator),
      W_key(options.d_in, options.d_out, options.qkv_bias, generator),
      W_value(options.d_in, options.d_out, options.qkv_bias, generator),
      out_proj(options.d_out, options.d_out, true, generator),
      dropout(options.dropout, generator),
      mask(drop_mask("MultiHeadAttention", options.context_length)),
      num_heads(options.num_heads),
      head_dim(head_size(options)),
      look_(std::make_shared<MaskLook>()) {
  register_module("W_query", W_query);
  register_module("W_key", W_key);
  register_module("W_value", W_value);
  register_module("out_proj", out_proj);
  register_module("dropout", dropout);
  register_buffer("mask", mask);
}

Tensor MultiHeadAttention::forward(const Tensor& x) const try {
  check_batch("MultiHeadAttention", x, W_query.weight.size(1), mask.size(0));
  const std::int64_t batch = x.size(0);
  const std::int64_t num_tokens = x.size(1);
  const std::int64_t d_out = num_heads * head_dim;

  // (B, L, d_out) -> (B, L, H, D) -> (B, H, L, D)
  const Shape per_head = {batch, num_tokens, num_heads, head_dim};
  const Tensor keys = W_key.forward(x).view(per_head).transpose(1, 2);
  const Tensor queries = W_query.forward(x).view(per_head).transpose(1, 2);
  const Tensor values = W_value.forward(x).view(per_head).transpose(1, 2);

  // (B, H, L, D) -> (B, L, H, D) -> (B, L, d_out)
  const Tensor context_vec =
      causal_context(queries, keys, values, MaskOf::layer(*this), dropout, fused).transpose(1, 2);
  return out_proj.forward(context_vec.contiguous().view({batch, num_tokens, d_out}));
} catch (...) {
  rethrow_as_error("MultiHeadAttention");
}

}  // namespace foveal::nn
