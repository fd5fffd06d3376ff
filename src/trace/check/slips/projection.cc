// Slips of the projections: a bias too few, too many or another's, or no output projection.

#include <fmt/format.h>

#include "foveal/operations.h"
#include "trace/check/slips/list.h"

namespace foveal::trace {
namespace {

struct Biased {
  StepName step;
  const char* name;
  Tensor weight, bias;
};

std::vector<Biased> biased_projections(const Input& input) {
  std::vector<Biased> all = {{StepName::queries, "b_query", input.W_query, input.b_query},
                             {StepName::keys, "b_key", input.W_key, input.b_key},
                             {StepName::values, "b_value", input.W_value, input.b_value}};
  if (input.W_out.defined()) all.push_back({StepName::output, "b_out", input.W_out, input.b_out});
  return all;
}

Rule with_bias(const Input& input, const Biased& one, const Tensor& bias) {
  if (one.step != StepName::output) {
    return projection_rule(input.settings.num_heads, one.weight, bias);
  }
  return [weight = one.weight, bias](const Steps& before) {
    return project(before[StepName::context], weight, bias);
  };
}

void add_others(SlipList* list, const Biased& one, const std::vector<Biased>& all) {
  for (const Biased& other : all) {
    if (one.step == other.step || !other.bias.defined()) continue;
    if (other.bias.size(0) != one.weight.size(1)) continue;
    list->add("bias_of_another", one.step,
              fmt::format("{} was added instead of {}", other.name, one.name),
              with_bias(list->input(), one, other.bias));
  }
}

/// The biases of queries, keys and values together.
void add_all_missing(SlipList* list, const std::vector<Biased>& all) {
  std::vector<Biased> biased;
  for (const Biased& one : all) {
    if (one.bias.defined() && one.step != StepName::output) biased.push_back(one);
  }
  if (biased.size() < 2) return;
  const std::int64_t heads = list->sizes().H;
  const auto without = [biased, heads](Recipe& recipe) {
    for (const Biased& one : biased) recipe[one.step] = projection_rule(heads, one.weight, {});
  };
  list->plant("bias_missing", biased.front().step,
              "the biases of queries, keys and values are missing", without);
  if (!all.back().bias.defined() || all.back().step != StepName::output) return;
  list->plant("bias_missing", biased.front().step, "every bias is missing",
              [without, weight = all.back().weight](Recipe& recipe) {
                without(recipe);
                recipe[StepName::output] = [weight](const Steps& before) {
                  return project(before[StepName::context], weight, {});
                };
              });
}

}  // namespace

void add_projection_slips(SlipList* list) {
  const Input& input = list->input();
  if (input.W_query.defined()) {
    const std::vector<Biased> all = biased_projections(input);
    for (const Biased& one : all) {
      if (one.bias.defined()) {
        list->add("bias_missing", one.step, fmt::format("{} is missing", one.name),
                  with_bias(input, one, {}));
        list->add("bias_twice", one.step, fmt::format("{} was added twice", one.name),
                  with_bias(input, one, one.bias * 2));
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
