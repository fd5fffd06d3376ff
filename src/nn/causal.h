#pragma once
// The steps that the chapter's classes share.

#include <cstdint>
#include <string>

#include "foveal/tensor.h"

namespace foveal::nn {

/// 1 / sqrt(D), D the last size of `keys` (..., L, D).
double scale_of(const Tensor& keys);

/// The chapter's mask (context_length, context_length), float32: 1 above the diagonal, where the
/// key comes after the query, means "drop".
Tensor drop_mask(const std::string& layer, std::int64_t context_length);

/// Weights (..., L, L) in which query i sees the keys up to i: scores, scale, the first L rows and
/// columns of `mask`, softmax. A mask whose dtype is neither bool nor that of the scores throws.
Tensor causal_weights(const Tensor& queries, const Tensor& keys, const Tensor& mask);

}  // namespace foveal::nn
