#pragma once
// The steps that the chapter's classes share.

#include <cstdint>
#include <string>

#include "foveal/nn/attention.h"
#include "nn/fused.h"

namespace foveal::nn {

/// 1 / sqrt(D), D the last size of `keys` (..., L, D).
double scale_of(const Tensor& keys);

/// The chapter's mask (context_length, context_length), float32: 1 above the diagonal, where the
/// key comes after the query, means "drop".
Tensor drop_mask(const std::string& layer, std::int64_t context_length);

/// Context (..., L, D_v) in which query i sees the keys up to i: scores, scale, the first L rows
/// and columns of `mask`, softmax, dropout, values; step by step or on the engine. A mask whose
/// dtype is neither bool nor that of the scores throws.
Tensor causal_context(const Tensor& queries, const Tensor& keys, const Tensor& values,
                      const CausalMask& mask, const Dropout& dropout, bool fused);

/// A layer's mask with what it has seen of it.
struct MaskOf {
  template <class Layer>
  static CausalMask layer(const Layer& layer) {
    return {layer.mask, *layer.look_};
  }
};

/// The layer's forward, fused or not whatever its own member says.
Tensor causal_attention(const CausalAttention& layer, const Tensor& x, bool fused);

}  // namespace foveal::nn
