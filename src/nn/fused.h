#pragma once
// The chapter's steps from scores to context, run by the engine.

#include "foveal/nn/layers.h"

namespace foveal::nn {

/// softmax(Q K^T / sqrt(D)) V of queries, keys and values (L, D), (B, L, D) or (B, H, L, D), with
/// the first L rows and columns of `mask` (the chapter's: what isn't 0 drops) and with `dropout`,
/// which draws what its forward would; nullptr: without. No L x L matrix is made but dropout's
/// mask.
Tensor fused_context(const Tensor& queries, const Tensor& keys, const Tensor& values,
                     const Tensor* mask = nullptr, const Dropout* dropout = nullptr);

}  // namespace foveal::nn
