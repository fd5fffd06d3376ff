#pragma once
// Weights of the two variants on PackedAttention, which have two output projections.

#include "nn/variants/parts.h"

namespace foveal::nn::variants {

/// One projection that does what both do, the product in float64.
Weights packed_weights(const PackedAttention& attention, const Linear& proj);
/// The inner projection becomes the identity.
void set_packed_weights(const Weights& weights, PackedAttention& attention, Linear& proj);

}  // namespace foveal::nn::variants
