// 6: the same, with the mask as a matrix that is read. (As published, the bonus part's own mask is
// the other way round: it shows what comes after a token. This one is causal.)

#include <utility>

#include "foveal/attention.h"
#include "foveal/operations.h"
#include "nn/variants/parts.h"

namespace foveal::nn::variants {

FusedExplicitMask::FusedExplicitMask(const MultiHeadAttentionOptions& options, Generator& generator)
    : Variant("FusedExplicitMask", options),
      qkv(options.d_in, 3 * std::int64_t{options.d_out}, options.qkv_bias, generator),
      proj(options.d_out, options.d_out, true, generator),
      mask(tril(Tensor::ones({options.context_length, options.context_length})).to(DType::boolean)),
      dropout_("FusedExplicitMask", options.dropout, generator) {
  register_module("qkv", qkv);
  register_module("proj", proj);
  register_buffer("mask", mask);
}

Tensor FusedExplicitMask::forward(const Tensor& x) const {
  check(x);
  const std::vector<Tensor> parts = split_qkv(qkv.forward(x), heads());
  AttentionOptions how{.mask = dense(corner(mask, x.size(1)))};
  dropout_.add_to(how, is_training());
  const Tensor context = attention(parts[0], parts[1], parts[2], how).output;
  return proj.forward(join_heads(context));
}

Weights FusedExplicitMask::weights() const { return combined_weights(qkv, proj); }

void FusedExplicitMask::set_weights(const Weights& weights) {
  require_fitting("FusedExplicitMask", weights, options());
  set_combined_weights(weights, qkv, proj);
}

}  // namespace foveal::nn::variants
