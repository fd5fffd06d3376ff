// Slips of the scale: the factor is missing, another one, or in another place.

#include <cmath>

#include "core/filled.h"
#include "foveal/operations.h"
#include "trace/check/slips/list.h"

namespace foveal::trace {
namespace {

Rule scaled_by(double factor) {
  return [factor](const Steps& before) { return before[StepName::scores] * factor; };
}

/// "√D = √4", or the input's own factor: what should have been there.
std::string right_factor(const SlipList& list) {
  const Scale& scale = list.input().settings.scale;
  if (scale.kind == Scale::Kind::sqrt) return filled("1/√D = 1/√{}", list.sizes().D);
  if (scale.kind == Scale::Kind::none) return "none";
  return filled("{}", scale.factor);
}

void add_factors(SlipList* list) {
  const Sizes& s = list->sizes();
  const double right = scale_factor(list->input());
  const bool unscaled = list->input().settings.scale.kind == Scale::Kind::none;
  const std::string instead = unscaled ? ", but this input's scale is none"
                                       : filled("; the factor here is {}", right_factor(*list));
  const auto root = [](std::int64_t size) { return std::sqrt(static_cast<double>(size)); };
  const auto add = [&](const std::string& kind, double factor, const std::string& text) {
    if (std::abs(factor - right) < 1e-12) return;
    list->add(kind, StepName::scaled_scores, text + instead, scaled_by(factor));
  };
  if (!unscaled && right != 1) {
    list->add("scale_missing", StepName::scaled_scores,
              filled("not scaled: the factor {} is missing", right_factor(*list)), scaled_by(1));
  }
  if (list->input().settings.scale.kind != Scale::Kind::sqrt) {
    add("scale_extra", 1 / root(s.D), filled("scaled by 1/√{}", s.D));
  }
  add("scale_by_size", 1 / static_cast<double>(s.D), filled("scaled by D: divided by D = {}", s.D));
  if (s.H > 1) {
    add("scale_by_width", 1 / root(s.d),
        filled("scaled by the width of all heads: divided by √d_out = √{}", s.d));
  }
  add("scale_by_width", 1 / root(s.d_in),
      filled("scaled by the width of the inputs: divided by √d_in = √{}", s.d_in));
  add("scale_inverted", root(s.D), filled("multiplied by √{} instead of divided", s.D));
  add("scale_by_length", 1 / root(s.L),
      filled("scaled by the number of tokens: divided by √L = √{}", s.L));
}

/// `scores` printed with the scale in them; then as they are, or scaled once more.
void add_scaled_scores(SlipList* list) {
  const bool unscaled = list->input().settings.scale.kind == Scale::Kind::none;
  const double factor =
      unscaled ? 1 / std::sqrt(static_cast<double>(list->sizes().D)) : scale_factor(list->input());
  if (factor == 1) return;
  const std::string text =
      "scaled already: scores are the plain products Q · Kᵀ" +
      std::string(unscaled ? ", and this input's scale is none" : "; the scale comes after");
  const auto scale_scores = [factor](Recipe& recipe) {
    recipe[StepName::scores] = [plain = recipe[StepName::scores], factor](const Steps& before) {
      return plain(before) * factor;
    };
  };
  list->plant("scale_extra", StepName::scores, text, [scale_scores](Recipe& recipe) {
    scale_scores(recipe);
    recipe[StepName::scaled_scores] = scaled_by(1);
  });
  if (unscaled) return;
  list->plant("scale_extra", StepName::scores, text, scale_scores);
}

void add_scale_after_softmax(SlipList* list) {
  const double factor = scale_factor(list->input());
  if (factor == 1) return;
  list->plant("scale_after_softmax", StepName::scaled_scores,
              filled("scaled after softmax: the factor {} belongs before it", right_factor(*list)),
              [factor](Recipe& recipe) {
                recipe[StepName::scaled_scores] = scaled_by(1);
                recipe[StepName::weights] = [plain = recipe[StepName::weights],
                                             factor](const Steps& before) {
                  return plain(before) * factor;
                };
              });
}

}  // namespace

void add_scale_slips(SlipList* list) {
  add_factors(list);
  add_scale_after_softmax(list);
  add_scaled_scores(list);
}

}  // namespace foveal::trace
