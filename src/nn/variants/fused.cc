// 5: combined weights, and attention in one pass: no L x L matrix.

#include <utility>

#include "foveal/attention.h"
#include "foveal/operations.h"
#include "nn/variants/parts.h"

namespace foveal::nn::variants {

Fused::Fused(const MultiHeadAttentionOptions& options, Generator& generator)
    : Variant("Fused", options),
      qkv(options.d_in, 3 * std::int64_t{options.d_out}, options.qkv_bias, generator),
      proj(options.d_out, options.d_out, true, generator),
      dropout_("Fused", options.dropout, generator) {
  register_module("qkv", qkv);
  register_module("proj", proj);
}

Tensor Fused::forward(const Tensor& x) const {
  check(x);
  const std::vector<Tensor> parts = split_qkv(qkv.forward(x), heads());
  AttentionOptions how{.mask = causal()};
  dropout_.add_to(how, is_training());
  const Tensor context = attention(parts[0], parts[1], parts[2], how).output;
  return proj.forward(join_heads(context));
}

Weights Fused::weights() const { return combined_weights(qkv, proj); }

void Fused::set_weights(const Weights& weights) {
  require_fitting("Fused", weights, options());
  set_combined_weights(weights, qkv, proj);
}

}  // namespace foveal::nn::variants
