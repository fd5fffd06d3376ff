#pragma once
// How the steps follow from one another. There is one way to compute them: a recipe, one rule a
// step. right_recipe() is attention; a slip is the same recipe with one rule changed.

#include <functional>

#include "trace/input/sizes.h"

namespace foveal::trace {

/// Every step with its numbers, float64 but for `mask`; shaped as shape_of() says. What an input
/// has not changes nothing: scaled_scores, masked_scores and dropped_weights are what comes before
/// them then; mask, dropout_mask and output are undefined.
using Steps = PerStep<Tensor>;

/// Makes one step from those before it.
using Rule = std::function<Tensor(const Steps& before)>;

using Recipe = PerStep<Rule>;

/// Attention on `input`, which must outlive the recipe. Sums in float64, by the definitions of
/// reference::.
Recipe right_recipe(const Input& input);

/// Queries, keys or values from the inputs, X W + b cut into heads; or the output from the context.
Rule projection_rule(const Input& input, StepName step, const Tensor& weight, const Tensor& bias);

/// All steps by `recipe`, in order.
Steps compute(const Recipe& recipe);

/// (L, H D) -> (H, L, D): head h has columns h D to h D + D - 1. One head has no axis of its own.
Tensor split_heads(const Tensor& wide, std::int64_t heads);
/// The matrix of one head; all of a step that has no axis of heads.
Tensor of_head(const Tensor& data, std::int64_t head);
/// (H, L, D) -> (L, H D): heads side by side.
Tensor join_heads(const Tensor& by_head);
/// x W + b; an undefined W is the identity, an undefined b nothing.
Tensor project(const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace foveal::trace
