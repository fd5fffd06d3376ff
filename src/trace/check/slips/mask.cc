// Slips of the mask: another one, its polarity, or something else than −∞ in its place.

#include <algorithm>

#include "core/filled.h"
#include "foveal/operations.h"
#include "foveal/reference.h"
#include "trace/check/slips/list.h"
#include "trace/run/arithmetic.h"

namespace foveal::trace {
namespace {

/// Which pairs are visible: rule(i, j), asked of the right mask.
template <typename Visible>
Tensor mask_where(std::int64_t length, const Visible& visible) {
  Tensor mask = Tensor::zeros({length, length}, DType::boolean);
  for (std::int64_t i = 0; i < length; ++i) {
    for (std::int64_t j = 0; j < length; ++j) mask.set({i, j}, visible(i, j) ? 1 : 0);
  }
  return mask;
}

/// Masked scores with another mask than the one that stands in the step `mask`.
Rule masked_by(const Tensor& mask) {
  return [mask](const Steps& before) {
    return reference::masked_scores(before[StepName::scaled_scores], mask);
  };
}

/// Scores with a large negative number added where others have −∞.
Rule added_to(double value) {
  return [value](const Steps& before) {
    const Tensor& scores = before[StepName::scaled_scores];
    const Tensor hidden = masked_fill(scores + value, before[StepName::mask], 0);
    return hidden + masked_fill(scores, logical_not(before[StepName::mask]), 0);
  };
}

Rule filled_with(double value) {
  return [value](const Steps& before) {
    return masked_fill(before[StepName::scaled_scores], logical_not(before[StepName::mask]), value);
  };
}

/// Another mask, from the step `mask` on or in the masked scores alone.
void add_mask(SlipList* list, const std::string& kind, const std::string& text,
              const Tensor& mask) {
  list->add(kind, StepName::masked_scores, text, masked_by(mask));
  list->add(kind, StepName::mask, text, [mask](const Steps&) { return mask; });
}

void add_other_masks(SlipList* list) {
  const std::int64_t length = list->sizes().L;
  const Tensor right = right_recipe(list->input())[StepName::mask]({});
  const auto visible = [&](std::int64_t i, std::int64_t j) { return right.at({i, j}) != 0; };
  add_mask(list, "mask_reversed",
           "the mask's polarity is reversed: what may be attended to was masked, and the rest not",
           mask_where(length, [&](auto i, auto j) { return !visible(i, j); }));
  if (list->input().settings.mask == "causal") {
    add_mask(list, "mask_off_by_one",
             "the mask is off by one: each query sees the token after its own too (triu with "
             "diagonal=2 for 1)",
             mask_where(length, [](auto i, auto j) { return j <= i + 1; }));
  }
  const auto sees_others = [&](std::int64_t i) {
    for (std::int64_t j = 0; j < length; ++j) {
      if (i != j && visible(i, j)) return true;
    }
    return false;
  };
  const std::string own = "each token's own key is masked too (diagonal=0 for 1)";
  add_mask(list, "own_token_masked", own,
           mask_where(length, [&](auto i, auto j) { return i != j && visible(i, j); }));
  add_mask(list, "own_token_masked", own + "; rows that would see nothing were kept",
           mask_where(length, [&](auto i, auto j) {
             return visible(i, j) && (i != j || !sees_others(i));
           }));
  add_mask(list, "mask_transposed", "the mask is transposed: queries and keys changed places in it",
           mask_where(length, [&](auto i, auto j) { return visible(j, i); }));
}

void add_fills(const std::vector<double>& printed, SlipList* list) {
  list->add("mask_filled_with_zero", StepName::masked_scores,
            "masked scores are 0 instead of −∞: e^0 = 1, so softmax still gives these keys a share",
            filled_with(0));
  std::vector<double> fills = printed;
  for (const double usual : {-1.0, -10.0, -100.0, -1e4}) {
    if (std::find(fills.begin(), fills.end(), usual) == fills.end()) fills.push_back(usual);
  }
  for (const double fill : fills) {
    if (fill == 0) continue;
    list->add("mask_fill_value", StepName::masked_scores,
              filled("masked scores are {} instead of −∞, which leaves these keys a share",
                     show(fill, 0)),
              filled_with(fill));
  }
  for (const double added : {-1e9, -1e8, -1e6, -1e5, -1e4, -1e3, -1e2}) {
    list->add("mask_fill_value", StepName::masked_scores,
              filled("{} was added to masked scores instead of taking −∞", show(added, 0)),
              added_to(added));
  }
}

}  // namespace

void add_mask_slips(const std::vector<double>& fills, SlipList* list) {
  const std::int64_t length = list->sizes().L;
  if (list->input().settings.mask == "none") {
    list->add("mask_extra", StepName::masked_scores,
              "a causal mask was used, but this input has none",
              masked_by(reference::causal_mask(length, length)));
    return;
  }
  list->add("mask_missing", StepName::masked_scores, "not masked: every query sees every key",
            [](const Steps& before) { return before[StepName::scaled_scores]; });
  list->plant("mask_after_softmax", StepName::masked_scores,
              "masked after softmax: the row was not renormalised, it no longer sums to 1",
              [](Recipe& recipe) {
                recipe[StepName::weights] = [](const Steps& before) {
                  const Tensor all = reference::weights(before[StepName::scaled_scores]);
                  return masked_fill(all, logical_not(before[StepName::mask]), 0);
                };
              });
  add_other_masks(list);
  add_fills(fills, list);
}

}  // namespace foveal::trace
