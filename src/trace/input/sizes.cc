#include "trace/input/sizes.h"

#include <cmath>

namespace foveal::trace {
namespace {

/// (rows, columns) of a step.
Shape matrix_of(const Input& input, StepName step) {
  const Sizes s = sizes_of(input);
  if (is_pairwise(step)) return {s.L, s.L};
  switch (step) {
    case StepName::inputs:
      return {s.L, s.d_in};
    case StepName::values:
      return {s.L, s.D_v};
    case StepName::context:
      return {s.L, s.d_v};
    case StepName::output:
      return {s.L, input.W_out.size(1)};
    default:
      return {s.L, s.D};
  }
}

}  // namespace

Sizes sizes_of(const Input& input) {
  Sizes sizes;
  sizes.L = input.inputs.size(0);
  sizes.d_in = input.inputs.size(1);
  sizes.H = input.settings.num_heads;
  sizes.d = input.W_query.defined() ? input.W_query.size(1) : sizes.d_in;
  sizes.d_v = input.W_value.defined() ? input.W_value.size(1) : sizes.d_in;
  sizes.D = sizes.d / sizes.H;
  sizes.D_v = sizes.d_v / sizes.H;
  return sizes;
}

std::vector<Projection> projections_of(const Input& input) {
  std::vector<Projection> all = {{StepName::queries, "query", input.W_query, input.b_query},
                                 {StepName::keys, "key", input.W_key, input.b_key},
                                 {StepName::values, "value", input.W_value, input.b_value}};
  if (input.W_out.defined()) all.push_back({StepName::output, "out", input.W_out, input.b_out});
  return all;
}

std::optional<Projection> projection_of(const Input& input, StepName step) {
  for (Projection& one : projections_of(input)) {
    if (one.step == step) return std::move(one);
  }
  return std::nullopt;
}

double scale_factor(const Input& input) {
  switch (input.settings.scale.kind) {
    case Scale::Kind::none:
      return 1;
    case Scale::Kind::factor:
      return input.settings.scale.factor;
    case Scale::Kind::sqrt:
      break;
  }
  return 1 / std::sqrt(static_cast<double>(sizes_of(input).D));
}

std::vector<StepName> steps_of(const Input& input) {
  PerStep<bool> absent;
  absent[StepName::scaled_scores] = input.settings.scale.kind == Scale::Kind::none;
  absent[StepName::mask] = absent[StepName::masked_scores] = input.settings.mask == "none";
  absent[StepName::dropout_mask] = absent[StepName::dropped_weights] = !input.settings.dropout;
  absent[StepName::output] = !input.W_out.defined();
  std::vector<StepName> steps;
  for (const StepName step : kAllSteps) {
    if (!absent[step]) steps.push_back(step);
  }
  return steps;
}

bool has_head_axis(const Input& input, StepName step) {
  return input.settings.num_heads > 1 && words_of(step).has_heads;
}

Shape shape_of(const Input& input, StepName step) {
  Shape shape = matrix_of(input, step);
  if (has_head_axis(input, step)) shape.insert(shape.begin(), input.settings.num_heads);
  return shape;
}

}  // namespace foveal::trace
