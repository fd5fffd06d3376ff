#pragma once
// The usual slips: attention with one thing done differently. Each is a change of the recipe, so
// what it would have printed is computed as everything else is.

#include <functional>
#include <string>
#include <vector>

#include "trace/run/recipe.h"
#include "trace/run/record.h"

namespace foveal::trace {

struct Slip {
  std::string kind;                    ///< its name in docs/check.md: "scale_missing"
  StepName step = {};                  ///< the first step that comes out wrong
  std::string text;                    ///< what the report says, without a full stop
  std::function<void(Recipe&)> plant;  ///< makes a recipe wrong in this way
};

/// `change` of each number.
template <typename Change>
Tensor mapped(const Tensor& data, const Change& change) {
  std::vector<double> numbers = data.to_vector();
  for (double& number : numbers) number = change(number);
  return Tensor::from_vector(numbers, data.shape());
}

/// Lists slips of one input, the usual ones of a place first.
class SlipList {
 public:
  explicit SlipList(const Input& input) : input_(input), sizes_(sizes_of(input)) {}

  const Input& input() const { return input_; }
  const Sizes& sizes() const { return sizes_; }

  /// A step made by another rule.
  void add(const std::string& kind, StepName step, const std::string& text, const Rule& rule) {
    plant(kind, step, text, [step, rule](Recipe& recipe) { recipe[step] = rule; });
  }
  void plant(const std::string& kind, StepName step, const std::string& text,
             std::function<void(Recipe&)> change) {
    slips_.push_back({kind, step, text, std::move(change)});
  }
  std::vector<Slip> take() { return std::move(slips_); }

 private:
  const Input& input_;
  Sizes sizes_;
  std::vector<Slip> slips_;
};

void add_scale_slips(SlipList* list);
/// `fills`: finite numbers that are printed where a masked score is −∞.
void add_mask_slips(const std::vector<double>& fills, SlipList* list);
void add_softmax_slips(SlipList* list);
void add_operand_slips(SlipList* list);
void add_head_slips(SlipList* list);
void add_projection_slips(SlipList* list);
void add_dropout_slips(SlipList* list);
void add_rounding_slips(SlipList* list);
void add_lost_term_slips(SlipList* list);
void add_row_slips(SlipList* list);

/// Every slip that a run of record.input can have, the more usual ones first.
std::vector<Slip> slips_of(const Record& record);

}  // namespace foveal::trace
