// 3: one projection makes queries, keys and values; then step by step.

#include "nn/causal.h"
#include "nn/variants/parts.h"

namespace foveal::nn::variants {

CombinedQKV::CombinedQKV(const MultiHeadAttentionOptions& options, Generator& generator)
    : Variant("CombinedQKV", options),
      qkv(options.d_in, 3 * std::int64_t{options.d_out}, options.qkv_bias, generator),
      proj(options.d_out, options.d_out, true, generator),
      dropout(options.dropout, generator),
      mask(drop_mask("CombinedQKV", options.context_length)) {
  register_module("qkv", qkv);
  register_module("proj", proj);
  register_module("dropout", dropout);
  register_buffer("mask", mask);
}

Tensor CombinedQKV::forward(const Tensor& x) const {
  check(x);
  const std::vector<Tensor> parts = split_qkv(qkv.forward(x), heads());
  const Tensor context =
      step_by_step(parts[0], parts[1], parts[2], corner(mask, x.size(1)), dropout);
  return proj.forward(join_heads(context));
}

Weights CombinedQKV::weights() const { return combined_weights(qkv, proj); }

void CombinedQKV::set_weights(const Weights& weights) {
  require_fitting("CombinedQKV", weights, options());
  set_combined_weights(weights, qkv, proj);
}

}  // namespace foveal::nn::variants
