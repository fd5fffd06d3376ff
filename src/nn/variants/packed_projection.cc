// 7: packed input weights and two output projections, and P averaged over the heads, for which an
// (L, L) matrix a head is written.

#include "nn/variants/packed.h"

namespace foveal::nn::variants {

PackedProjection::PackedProjection(const MultiHeadAttentionOptions& options, Generator& generator)
    : Variant("PackedProjection", options),
      multihead_attn("PackedProjection", options, generator),
      proj(options.d_out, options.d_out, true, generator) {
  register_module("multihead_attn", multihead_attn);
  register_module("proj", proj);
}

std::pair<Tensor, Tensor> PackedProjection::forward_with_weights(const Tensor& x) const {
  check(x);
  const auto [output, weights] = multihead_attn.forward_with(x, true);
  return {proj.forward(output), weights};
}

Weights PackedProjection::weights() const { return packed_weights(multihead_attn, proj); }

void PackedProjection::set_weights(const Weights& weights) {
  require_fitting("PackedProjection", weights, options());
  set_packed_weights(weights, multihead_attn, proj);
}

}  // namespace foveal::nn::variants
