#pragma once
// The chapter's steps from scores to context, run by the engine.

#include "foveal/nn/layers.h"
#include "nn/mask_look.h"

namespace foveal::nn {

/// The chapter's mask (what isn't 0 drops), and what its layer has seen of it.
struct CausalMask {
  const Tensor& drop;
  MaskLook& look;
};

/// softmax(Q K^T / sqrt(D)) V of queries, keys and values (L, D), (B, L, D) or (B, H, L, D), with
/// the first L rows and columns of `mask` and with `dropout`, which draws what its forward would;
/// nullptr: without. No L x L matrix is made but dropout's mask.
Tensor fused_context(const Tensor& queries, const Tensor& keys, const Tensor& values,
                     const CausalMask* mask = nullptr, const Dropout* dropout = nullptr);

}  // namespace foveal::nn
