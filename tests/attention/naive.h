#pragma once
// Attention written out in float64, with every option: what the engine is held to. Scores are
// rounded to float32 after each of their stages, but for float64 inputs.

#include "foveal/attention.h"

namespace foveal {

struct NaiveResult {
  Tensor output, lse, scores, weights;
  Tensor sink_weights;  // what of each row the sink takes, (B, H, L_q)
};

/// What dropout multiplies a weight by, drawn for places i and j and head b * H + h.
double drawn_factor(const AttentionOptions& options, std::int64_t head, std::int64_t i,
                    std::int64_t j);

NaiveResult naive_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                            const AttentionOptions& options);

struct NaiveGradients {
  Tensor q, k, v, bias, sinks, alibi_slopes;  // undefined without such an option
};

/// The chain rule through naive_attention. Cells of weight 0 add nothing.
NaiveGradients naive_gradients(const Tensor& grad_output, const Tensor& query, const Tensor& key,
                               const Tensor& value, const AttentionOptions& options);

}  // namespace foveal
