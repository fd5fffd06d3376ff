#include "trace/check/slips.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "foveal/operations.h"
#include "foveal/reference.h"
#include "trace/input/sizes.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {

namespace {

using Product = ChangedRun::Product;
using Softmax = ChangedRun::Softmax;

/// Lists slips one by one, in the order of steps.
class Catalogue {
 public:
  explicit Catalogue(const Record& record) : input_(record.input), sizes_(sizes_of(record.input)) {
    add_transposed_weights();
    add_scaled_scores();
    add_transposed_scores();
    add_scales();
    add_masks();
    add_softmax();
    add_dropout();
  }

  std::vector<Slip> take() { return std::move(slips_); }

 private:
  void add(StepName step, const std::string& text, std::function<void(ChangedRun&)> plant) {
    slips_.push_back({step, text, std::move(plant)});
  }

  void add_transposed(StepName step, const std::string& name, Tensor ChangedRun::* weight,
                      const Tensor& given) {
    if (!given.defined() || given.size(0) != given.size(1)) return;
    add(step, fmt::format("{0} was transposed: multiplied with {0}ᵀ instead of {0}", name),
        [weight](ChangedRun& recipe) { recipe.*weight = (recipe.*weight).transpose(0, 1); });
  }

  void add_transposed_weights() {
    add_transposed(StepName::queries, "W_query", &ChangedRun::W_query, input_.W_query);
    add_transposed(StepName::keys, "W_key", &ChangedRun::W_key, input_.W_key);
    add_transposed(StepName::values, "W_value", &ChangedRun::W_value, input_.W_value);
    add_transposed(StepName::output, "W_out", &ChangedRun::W_out, input_.W_out);
  }

  /// A wrong factor and its words. The right one of this input is left out.
  struct Factor {
    double value;
    std::string text;
  };

  std::vector<Factor> factors() const {
    const auto size = static_cast<double>(sizes_.D);
    const bool sqrt = input_.settings.scale.kind == Scale::Kind::sqrt;
    const std::string rule = sqrt ? fmt::format("instead of √D = √{}", sizes_.D)
                                  : fmt::format("but this input's scale is {}", scale_text());
    std::vector<Factor> result;
    result.push_back({1 / std::sqrt(size), fmt::format("scaled by 1/√{}, {}", sizes_.D, rule)});
    result.push_back({1 / size, fmt::format("scaled by D: divided by D = {}, {}", sizes_.D, rule)});
    if (sizes_.H > 1) {
      const auto width = static_cast<double>(sizes_.d);
      result.push_back(
          {1 / std::sqrt(width),
           fmt::format("scaled by the width of all heads: divided by √{}, {}", sizes_.d, rule)});
    }
    return result;
  }

  std::string scale_text() const {
    if (input_.settings.scale.kind == Scale::Kind::none) return "none";
    return fmt::format("{}", input_.settings.scale.factor);
  }

  void add_scaled_scores() {
    if (input_.settings.scale.kind != Scale::Kind::none) {
      add(StepName::scores,
          "scaled already: scores are the plain products Q · Kᵀ; the scale comes after",
          [](ChangedRun& recipe) { recipe.score_factor = recipe.scale; });
    }
    for (const Factor& factor : factors()) {
      const double value = factor.value;
      if (value == scale_factor(input_)) continue;
      add(StepName::scores, factor.text + "; scores are the plain products Q · Kᵀ",
          [value](ChangedRun& recipe) { recipe.score_factor = value; });
    }
  }

  void add_transposed_scores() {
    if (sizes_.L == sizes_.D) {
      add(StepName::scores, "K was not transposed: Q · K instead of Q · Kᵀ",
          [](ChangedRun& recipe) { recipe.product = Product::untransposed_key; });
    }
    add(StepName::scores,
        "transposed: K · Qᵀ instead of Q · Kᵀ, so queries and keys changed places",
        [](ChangedRun& recipe) { recipe.product = Product::key_query; });
  }

  void add_scales() {
    const StepName step = StepName::scaled_scores;
    const double right = scale_factor(input_);
    if (right != 1) {
      const std::string what = input_.settings.scale.kind == Scale::Kind::sqrt
                                   ? fmt::format("1/√D = 1/√{}", sizes_.D)
                                   : scale_text();
      add(step, fmt::format("not scaled: the factor {} is missing", what),
          [](ChangedRun& recipe) { recipe.scale = 1; });
    }
    for (const Factor& factor : factors()) {
      const double value = factor.value;
      if (value == right) continue;
      add(step, factor.text, [value](ChangedRun& recipe) { recipe.scale = value; });
    }
  }

  void add_masks() {
    if (input_.settings.mask == "none") {
      add(StepName::masked_scores, "a causal mask was applied, but this input's mask is none",
          [length = sizes_.L](ChangedRun& recipe) {
            recipe.mask = reference::causal_mask(length, length);
          });
      return;
    }
    add(StepName::mask, "the mask is missing: every key was visible", [](ChangedRun& recipe) {
      recipe.mask = Tensor::ones(recipe.mask.shape(), DType::boolean);
    });
    add(StepName::mask,
        "the mask's polarity is wrong: it hid what may be seen, and showed the rest",
        [](ChangedRun& recipe) { recipe.mask = logical_not(recipe.mask); });
  }

  void add_softmax() {
    add(StepName::weights,
        "softmax over the wrong axis: each column sums to 1, where each row should",
        [](ChangedRun& recipe) { recipe.softmax = Softmax::over_queries; });
    if (input_.settings.mask == "none") return;
    add(StepName::weights,
        "not renormalised: softmax came before the mask, so what the mask took away is missing",
        [](ChangedRun& recipe) { recipe.softmax = Softmax::before_mask; });
  }

  void add_dropout() {
    if (!input_.settings.dropout) return;
    const double p = input_.settings.dropout->p;
    const StepName step = StepName::dropped_weights;
    add(step, fmt::format("dropout scale missing: kept weights are divided by 1 − p = {}", 1 - p),
        [](ChangedRun& recipe) { recipe.dropout_scale = 1; });
    add(step, "dropout was not applied", [](ChangedRun& recipe) { recipe.dropout = false; });
    if (p == 0 || p == 0.5) return;
    add(step, fmt::format("dropout scale: divided by p = {} instead of 1 − p = {}", p, 1 - p),
        [p](ChangedRun& recipe) { recipe.dropout_scale = 1 / p; });
  }

  const Input& input_;
  Sizes sizes_;
  std::vector<Slip> slips_;
};

/// Slips of these steps are named where the step was printed; in later steps the arithmetic alone
/// is shown.
bool belongs_to_one_step(StepName step) {
  return is_projection(step) || step == StepName::scores || step == StepName::output;
}

}  // namespace

bool comes_before(StepName a, StepName b) { return a < b; }

std::vector<Slip> usual_slips(const Record& record, StepName step) {
  std::vector<Slip> slips = Catalogue(record).take();
  const auto elsewhere = [&step](const Slip& slip) {
    if (slip.step == step) return false;
    return belongs_to_one_step(slip.step) || !comes_before(slip.step, step);
  };
  slips.erase(std::remove_if(slips.begin(), slips.end(), elsewhere), slips.end());
  return slips;
}

}  // namespace foveal::trace
