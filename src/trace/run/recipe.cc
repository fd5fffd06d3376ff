#include "trace/run/recipe.h"

#include "attention/mask/node.h"
#include "foveal/operations.h"
#include "foveal/random.h"
#include "foveal/reference.h"

namespace foveal::trace {
namespace {

Tensor mask_of(const Input& input) {
  if (input.settings.mask == "rows") return input.mask_rows;
  const std::int64_t length = input.inputs.size(0);
  if (input.settings.mask == "causal") return reference::causal_mask(length, length);
  const auto bound = input.mask.node().bind({1, 1, length, length});
  Tensor rows = Tensor::zeros({length, length}, DType::boolean);
  bool* visible = rows.data<bool>();
  for (std::int64_t i = 0; i < length; ++i) {
    for (std::int64_t j = 0; j < length; ++j) *visible++ = (bound->word(0, 0, i, j) & 1) != 0;
  }
  return rows;
}

Tensor dropout_mask_of(const Input& input, const DropoutSetting& dropout) {
  Generator generator(dropout.seed);
  return dropout_mask(shape_of(input, StepName::dropout_mask), dropout.p, generator)
      .to(DType::float64);
}

/// A step that is given, or drawn: computed once.
Rule constant(const Tensor& data) {
  return [data](const Steps&) { return data; };
}

/// A step that this input does not have: what comes before it, unchanged.
Rule same_as(StepName step) {
  return [step](const Steps& before) { return before[step]; };
}

void add_projections(const Input& input, Recipe* recipe) {
  (*recipe)[StepName::inputs] = constant(input.inputs);
  (*recipe)[StepName::output] = constant({});
  for (const Projection& one : projections_of(input)) {
    (*recipe)[one.step] = projection_rule(input, one.step, one.weight, one.bias);
  }
}

void add_scores(const Input& input, Recipe* recipe) {
  (*recipe)[StepName::scores] = [](const Steps& before) {
    return reference::scores(before[StepName::queries], before[StepName::keys]);
  };
  (*recipe)[StepName::scaled_scores] = same_as(StepName::scores);
  if (input.settings.scale.kind != Scale::Kind::none) {
    (*recipe)[StepName::scaled_scores] = [factor = scale_factor(input)](const Steps& before) {
      return reference::scaled_scores(before[StepName::scores], factor);
    };
  }
}

void add_mask(const Input& input, Recipe* recipe) {
  (*recipe)[StepName::mask] = constant({});
  (*recipe)[StepName::masked_scores] = same_as(StepName::scaled_scores);
  if (input.settings.mask == "none") return;
  (*recipe)[StepName::mask] = constant(mask_of(input));
  (*recipe)[StepName::masked_scores] = [](const Steps& before) {
    return reference::masked_scores(before[StepName::scaled_scores], before[StepName::mask]);
  };
}

void add_weights(const Input& input, Recipe* recipe) {
  (*recipe)[StepName::weights] = [](const Steps& before) {
    return reference::weights(before[StepName::masked_scores]);
  };
  (*recipe)[StepName::dropout_mask] = constant({});
  (*recipe)[StepName::dropped_weights] = same_as(StepName::weights);
  if (!input.settings.dropout) return;
  (*recipe)[StepName::dropout_mask] = constant(dropout_mask_of(input, *input.settings.dropout));
  (*recipe)[StepName::dropped_weights] = [p = input.settings.dropout->p](const Steps& before) {
    return reference::dropped_weights(before[StepName::weights], before[StepName::dropout_mask], p);
  };
}

void add_context(Recipe* recipe) {
  (*recipe)[StepName::context] = [](const Steps& before) {
    return join_heads(
        reference::context(before[StepName::dropped_weights], before[StepName::values]));
  };
}

}  // namespace

Recipe right_recipe(const Input& input) {
  Recipe recipe;
  add_projections(input, &recipe);
  add_scores(input, &recipe);
  add_mask(input, &recipe);
  add_weights(input, &recipe);
  add_context(&recipe);
  return recipe;
}

Rule projection_rule(const Input& input, StepName step, const Tensor& weight, const Tensor& bias) {
  if (step == StepName::output) {
    return [weight, bias](const Steps& before) {
      return project(before[StepName::context], weight, bias);
    };
  }
  return [heads = input.settings.num_heads, weight, bias](const Steps& before) {
    return split_heads(project(before[StepName::inputs], weight, bias), heads);
  };
}

Steps compute(const Recipe& recipe) {
  Steps steps;
  for (const StepName step : kAllSteps) steps[step] = recipe[step](steps);
  return steps;
}

Tensor split_heads(const Tensor& wide, std::int64_t heads) {
  if (heads == 1) return wide;
  return wide.contiguous()
      .view({wide.size(0), heads, wide.size(1) / heads})
      .permute({1, 0, 2})
      .contiguous();
}

Tensor of_head(const Tensor& data, std::int64_t head) {
  return data.rank() == 3 ? data[head] : data;
}

Tensor join_heads(const Tensor& by_head) {
  if (by_head.rank() == 2) return by_head;
  const std::int64_t length = by_head.size(1);
  return by_head.permute({1, 0, 2}).reshape({length, by_head.size(0) * by_head.size(2)});
}

Tensor project(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor product = weight.defined() ? matmul(x, weight) : x;
  return bias.defined() ? product + bias : product;
}

}  // namespace foveal::trace
