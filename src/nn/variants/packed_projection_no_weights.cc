// 8: packed input weights and two output projections; no (L, L) matrix.

#include "nn/variants/packed.h"

namespace foveal::nn::variants {

PackedProjectionNoWeights::PackedProjectionNoWeights(const MultiHeadAttentionOptions& options,
                                                     Generator& generator)
    : Variant("PackedProjectionNoWeights", options),
      multihead_attn("PackedProjectionNoWeights", options, generator),
      proj(options.d_out, options.d_out, true, generator) {
  register_module("multihead_attn", multihead_attn);
  register_module("proj", proj);
}

Tensor PackedProjectionNoWeights::forward(const Tensor& x) const {
  check(x);
  return proj.forward(multihead_attn.forward(x));
}

Weights PackedProjectionNoWeights::weights() const { return packed_weights(multihead_attn, proj); }

void PackedProjectionNoWeights::set_weights(const Weights& weights) {
  require_fitting("PackedProjectionNoWeights", weights, options());
  set_packed_weights(weights, multihead_attn, proj);
}

}  // namespace foveal::nn::variants
