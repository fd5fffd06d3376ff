#include "nn/causal.h"

#include <cmath>
#include <limits>

#include "foveal/operations.h"
#include "foveal/reference.h"
#include "nn/checks.h"

namespace foveal::nn {

double scale_of(const Tensor& keys) { return 1 / std::sqrt(static_cast<double>(keys.size(-1))); }

Tensor drop_mask(const std::string& layer, std::int64_t context_length) {
  check_at_least_one(layer, "context_length", context_length);
  return triu(Tensor::ones({context_length, context_length}), 1);
}

Tensor causal_context(const Tensor& queries, const Tensor& keys, const Tensor& values,
                      const CausalMask& mask, const Dropout& dropout, bool fused) {
  if (fused) return fused_context(queries, keys, values, &mask, &dropout);
  const std::int64_t num_tokens = queries.size(-2);
  const Tensor attn_scores =
      reference::scaled_scores(reference::scores(queries, keys), scale_of(keys));
  const Tensor drop = mask.drop.slice(0, 0, num_tokens).slice(1, 0, num_tokens);
  const Tensor masked = masked_fill(attn_scores, drop, -std::numeric_limits<double>::infinity());
  const Tensor attn_weights = dropout.forward(reference::weights(masked));
  return reference::context(attn_weights, values);
}

}  // namespace foveal::nn
