// A step rounded before it was used.

#include <cmath>

#include "core/filled.h"
#include "trace/check/slips/list.h"

namespace foveal::trace {
namespace {

constexpr int kMostDecimals = 3;

Tensor rounded(const Tensor& data, int decimals) {
  const double unit = std::pow(10.0, decimals);
  return mapped(data, [unit](double number) {
    return std::isfinite(number) ? std::nearbyint(number * unit) / unit : number;
  });
}

/// The rules after `step` see it rounded; the step itself is as before.
void round_for_later(StepName step, int decimals, Recipe& recipe) {
  for (const StepName later : kAllSteps) {
    if (later <= step) continue;
    recipe[later] = [rule = recipe[later], step, decimals](const Steps& before) {
      Steps seen = before;
      seen[step] = rounded(before[step], decimals);
      return rule(seen);
    };
  }
}

std::string lower(std::string title) {
  title[0] = static_cast<char>(title[0] - 'A' + 'a');
  return title;
}

}  // namespace

void add_rounding_slips(SlipList* list) {
  for (const StepName step : steps_of(list->input())) {
    if (is_given(step) || step == StepName::output) continue;
    for (int decimals = 0; decimals <= kMostDecimals; ++decimals) {
      const std::string text =
          filled("rounded early: only {} decimal{} of the {} went on", decimals,
                 decimals == 1 ? "" : "s", lower(words_of(step).title));
      list->plant("rounded_early", next_step(step), text,
                  [step, decimals](Recipe& recipe) { round_for_later(step, decimals, recipe); });
      list->plant("rounded_early", step, text, [step, decimals](Recipe& recipe) {
        recipe[step] = [rule = recipe[step], decimals](const Steps& before) {
          return rounded(rule(before), decimals);
        };
      });
    }
  }
}

}  // namespace foveal::trace
