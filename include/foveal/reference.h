#pragma once
// Attention stage by stage, as a learner reads it: scores, scale, mask, softmax, dropout, context.
// Plain and slow on purpose; the fast paths are tested against it. Letters: notation in docs.
//
// Source: chapter "Coding attention mechanisms", sections 3.3 to 3.6; Vaswani et al., "Attention
// Is All You Need" (2017), equation 1.

#include <optional>

#include "foveal/tensor.h"

#pragma GCC visibility push(default)
namespace foveal::reference {

/// S = Q K^T. query (..., L_q, D), key (..., L_k, D) -> (..., L_q, L_k). Leading axes broadcast.
Tensor scores(const Tensor& query, const Tensor& key);

/// S * scale, same shape.
Tensor scaled_scores(const Tensor& scores, double scale);

/// -inf where `mask` (bool, broadcast to the scores' shape) is false: true = may attend.
Tensor masked_scores(const Tensor& scores, const Tensor& mask);

/// P = softmax over the keys (last axis). A row with every key masked gives NaN, as the formula
/// does; the engine gives 0.
Tensor weights(const Tensor& masked_scores);

/// P where `dropout_mask` (1 keeps, 0 drops; P's shape and dtype) keeps, scaled by 1 / (1 - p).
Tensor dropped_weights(const Tensor& weights, const Tensor& dropout_mask, double p);

/// O = P V. weights (..., L_q, L_k), value (..., L_k, D_v) -> (..., L_q, D_v).
Tensor context(const Tensor& weights, const Tensor& value);

/// The bool mask (L_q, L_k) in which key j is visible to query i when j <= i.
Tensor causal_mask(std::int64_t query_length, std::int64_t key_length);

struct Options {
  std::optional<double> scale = std::nullopt;  ///< 1 / sqrt(D) where not given
  Tensor mask = {};                            ///< bool, true = may attend; undefined: all visible
  Tensor dropout_mask = {};                    ///< 1 keeps, 0 drops; undefined: no dropout
  double dropout = 0;                          ///< the p that dropout_mask was drawn with
};

/// Every stage of one run. Stages that the options leave out are undefined.
struct Stages {
  Tensor scores = {}, scaled_scores = {}, masked_scores = {};
  Tensor weights = {}, dropped_weights = {}, context = {};
};

/// All stages in order. query (..., L_q, D), key (..., L_k, D), value (..., L_k, D_v), all of one
/// floating dtype.
Stages attention(const Tensor& query, const Tensor& key, const Tensor& value,
                 const Options& options = {});

}  // namespace foveal::reference
#pragma GCC visibility pop
