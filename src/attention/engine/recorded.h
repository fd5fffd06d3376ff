#pragma once
// Attention as one recorded operation, whose gradient is the engine's backward.

#include "attention/engine/engine.h"

namespace foveal {

/// Whether a tensor of the call requires a gradient, and this thread records.
bool records_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                       const AttentionOptions& options);

/// attention() with its output recorded: lse is kept for the gradient, and in the result where it
/// is asked for.
AttentionResult recorded_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                   AttentionOptions options);

}  // namespace foveal
