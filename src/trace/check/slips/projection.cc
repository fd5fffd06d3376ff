// Slips of the projections: a bias too few, too many or another's, or no output projection.

#include "core/filled.h"
#include "foveal/operations.h"
#include "trace/check/slips/list.h"

namespace foveal::trace {
namespace {

void add_others(SlipList* list, const Projection& one, const std::vector<Projection>& all) {
  for (const Projection& other : all) {
    if (one.step == other.step || !other.bias.defined()) continue;
    if (other.bias.size(0) != one.weight.size(1)) continue;
    list->add("bias_of_another", one.step,
              filled("b_{} was added instead of b_{}", other.name, one.name),
              projection_rule(list->input(), one.step, one.weight, other.bias));
  }
}

/// The biases of queries, keys and values together.
void add_all_missing(SlipList* list, const std::vector<Projection>& all) {
  std::vector<Projection> biased;
  for (const Projection& one : all) {
    if (one.bias.defined() && one.step != StepName::output) biased.push_back(one);
  }
  if (biased.size() < 2) return;
  const auto without = [&input = list->input()](const std::vector<Projection>& some) {
    return [&input, some](Recipe& recipe) {
      for (const Projection& one : some) {
        recipe[one.step] = projection_rule(input, one.step, one.weight, {});
      }
    };
  };
  list->plant("bias_missing", biased.front().step,
              "the biases of queries, keys and values are missing", without(biased));
  if (!all.back().bias.defined() || all.back().step != StepName::output) return;
  const StepName first = biased.front().step;
  biased.push_back(all.back());
  list->plant("bias_missing", first, "every bias is missing", without(biased));
}

}  // namespace

void add_projection_slips(SlipList* list) {
  const Input& input = list->input();
  if (input.W_query.defined()) {
    const std::vector<Projection> all = projections_of(input);
    for (const Projection& one : all) {
      if (one.bias.defined()) {
        list->add("bias_missing", one.step, filled("b_{} is missing", one.name),
                  projection_rule(input, one.step, one.weight, {}));
        list->add("bias_twice", one.step, filled("b_{} was added twice", one.name),
                  projection_rule(input, one.step, one.weight, one.bias * 2));
      }
      add_others(list, one, all);
    }
    add_all_missing(list, all);
  }
  if (input.W_out.defined() && input.W_out.size(0) == input.W_out.size(1)) {
    list->add("projection_missing", StepName::output,
              "the output projection is missing: this is the context itself",
              [](const Steps& before) { return before[StepName::context]; });
  }
}

}  // namespace foveal::trace
