// 9: the same, with the mask as an expression, whose empty tiles are skipped. It has a backward
// too.

#include <utility>

#include "foveal/attention.h"
#include "foveal/operations.h"
#include "nn/variants/parts.h"

namespace foveal::nn::variants {

MaskExpression::MaskExpression(const MultiHeadAttentionOptions& options, Generator& generator,
                               Mask given_mask)
    : Variant("MaskExpression", options),
      qkv(options.d_in, 3 * std::int64_t{options.d_out}, options.qkv_bias, generator),
      proj(options.d_out, options.d_out, true, generator),
      mask(std::move(given_mask)),
      dropout_("MaskExpression", options.dropout, generator) {
  register_module("qkv", qkv);
  register_module("proj", proj);
}

Tensor MaskExpression::forward(const Tensor& x) const {
  check(x);
  const std::vector<Tensor> parts = split_qkv(qkv.forward(x), heads());
  AttentionOptions how{.mask = mask};
  dropout_.add_to(how, is_training());
  const Tensor context = attention(parts[0], parts[1], parts[2], how).output;
  return proj.forward(join_heads(context));
}

Weights MaskExpression::weights() const { return combined_weights(qkv, proj); }

void MaskExpression::set_weights(const Weights& weights) {
  require_fitting("MaskExpression", weights, options());
  set_combined_weights(weights, qkv, proj);
}

}  // namespace foveal::nn::variants
