// Slips of dropout: its scale, its mask, or what was done after it.

#include "core/filled.h"
#include "foveal/operations.h"
#include "trace/check/slips/list.h"

namespace foveal::trace {
namespace {

Tensor kept(const Steps& before) {
  return before[StepName::weights] * before[StepName::dropout_mask];
}

Rule kept_times(double factor) {
  return [factor](const Steps& before) { return kept(before) * factor; };
}

Tensor reversed(const Tensor& mask) { return 1 - mask; }

}  // namespace

void add_dropout_slips(SlipList* list) {
  const std::optional<DropoutSetting>& dropout = list->input().settings.dropout;
  if (!dropout) return;
  const double p = dropout->p;
  if (p <= 0 || p >= 1) return;
  const StepName step = StepName::dropped_weights;
  list->add("dropout_scale_missing", step,
            filled("dropout scale missing: kept weights are divided by 1 − p = {}", 1 - p),
            kept_times(1));
  list->add("dropout_ignored", step, "dropout was not applied",
            [](const Steps& before) { return before[StepName::weights]; });
  list->add("dropout_scale_inverted", step,
            filled("dropout scale inverted: multiplied by 1 − p = {} instead of divided", 1 - p),
            kept_times(1 - p));
  list->add("dropout_ignored", step, "nothing was dropped, though all was divided by 1 − p",
            [p](const Steps& before) { return before[StepName::weights] * (1 / (1 - p)); });
  if (p != 0.5) {
    list->add("dropout_scale_by_p", step,
              filled("dropout scale: divided by p = {} instead of 1 − p = {}", p, 1 - p),
              kept_times(1 / p));
  }
  const std::string reversal = "the dropout mask is reversed: what it keeps was dropped";
  list->add("dropout_mask_reversed", step, reversal, [p](const Steps& before) {
    return before[StepName::weights] * reversed(before[StepName::dropout_mask]) * (1 / (1 - p));
  });
  list->plant("dropout_mask_reversed", StepName::dropout_mask, reversal, [](Recipe& recipe) {
    recipe[StepName::dropout_mask] = [right = recipe[StepName::dropout_mask]](const Steps& before) {
      return reversed(right(before));
    };
  });
  list->add(
      "dropout_renormalised", step,
      "renormalised after dropout: each row was divided by what was left of it, so it sums to 1",
      [](const Steps& before) { return kept(before) / sum(kept(before), -1, true); });
}

}  // namespace foveal::trace
