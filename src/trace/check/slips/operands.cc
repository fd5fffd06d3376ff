// Slips of the operands: another matrix, or a transposed one.

#include "core/filled.h"
#include "foveal/operations.h"
#include "foveal/reference.h"
#include "trace/check/slips/list.h"

namespace foveal::trace {
namespace {

/// Inputs cut into heads as queries are.
Tensor inputs_by_head(const Steps& before, std::int64_t heads) {
  return split_heads(before[StepName::inputs], heads);
}

Rule scores_of(StepName left, StepName right) {
  return
      [left, right](const Steps& before) { return reference::scores(before[left], before[right]); };
}

Rule mixed(StepName values) {
  return [values](const Steps& before) {
    return join_heads(reference::context(before[StepName::dropped_weights], before[values]));
  };
}

void add_scores(SlipList* list) {
  const Sizes& s = list->sizes();
  const std::int64_t heads = s.H;
  list->add("key_is_query", StepName::scores, "K is missing: Q · Qᵀ instead of Q · Kᵀ",
            scores_of(StepName::queries, StepName::queries));
  list->add("query_is_key", StepName::scores, "Q is missing: K · Kᵀ instead of Q · Kᵀ",
            scores_of(StepName::keys, StepName::keys));
  if (s.d_in == s.d) {
    list->add("query_is_input", StepName::scores,
              "X · Kᵀ instead of Q · Kᵀ: the inputs in place of Q", [heads](const Steps& before) {
                return reference::scores(inputs_by_head(before, heads), before[StepName::keys]);
              });
    list->add("key_is_input", StepName::scores,
              "Q · Xᵀ instead of Q · Kᵀ: the inputs in place of K", [heads](const Steps& before) {
                return reference::scores(before[StepName::queries], inputs_by_head(before, heads));
              });
  }
  list->add("product_transposed", StepName::scores,
            "transposed: K · Qᵀ instead of Q · Kᵀ, so queries and keys changed places",
            scores_of(StepName::keys, StepName::queries));
  if (s.L == s.D) {
    list->add("key_not_transposed", StepName::scores,
              "K was not transposed: Q · K instead of Q · Kᵀ", [](const Steps& before) {
                return matmul(before[StepName::queries], before[StepName::keys]);
              });
  }
}

void add_values(SlipList* list) {
  const Sizes& s = list->sizes();
  const std::int64_t heads = s.H;
  list->add("weights_transposed_in_context", StepName::context,
            "the weights were transposed: Pᵀ · V instead of P · V", [](const Steps& before) {
              return join_heads(reference::context(
                  before[StepName::dropped_weights].transpose(-1, -2).contiguous(),
                  before[StepName::values]));
            });
  if (s.D == s.D_v) {
    list->add("value_is_key", StepName::context, "P · K instead of P · V: the keys in place of V",
              mixed(StepName::keys));
    const std::string swapped = "keys and values changed places";
    list->plant("keys_and_values_swapped", StepName::scores, swapped, [](Recipe& recipe) {
      recipe[StepName::scores] = scores_of(StepName::queries, StepName::values);
      recipe[StepName::context] = mixed(StepName::keys);
    });
    list->plant("keys_and_values_swapped", StepName::keys, swapped, [](Recipe& recipe) {
      std::swap(recipe[StepName::keys], recipe[StepName::values]);
    });
  }
  if (s.d_in == s.d_v) {
    list->add("value_is_input", StepName::context,
              "P · X instead of P · V: the inputs in place of V", [heads](const Steps& before) {
                return join_heads(reference::context(before[StepName::dropped_weights],
                                                     inputs_by_head(before, heads)));
              });
  }
}

/// Queries, keys and values.
std::vector<Projection> three_projections(const Input& input) {
  std::vector<Projection> all = projections_of(input);
  all.resize(3);
  return all;
}

bool is_square(const Projection& one) { return one.weight.size(0) == one.weight.size(1); }

/// A whole step in the place of another: what its own formula made of another W.
void add_taken_for(SlipList* list) {
  const Sizes& s = list->sizes();
  const auto same = [](StepName step) {
    return [step](const Steps& before) { return before[step]; };
  };
  list->add("key_is_query", StepName::keys, "the queries stand for the keys",
            same(StepName::queries));
  list->plant("query_is_key", StepName::queries, "the keys stand for the queries",
              [](Recipe& recipe) { recipe[StepName::queries] = recipe[StepName::keys]; });
  if (s.D == s.D_v) {
    list->add("value_is_key", StepName::values, "the keys stand for the values",
              same(StepName::keys));
  }
  list->plant("wrong_weight_matrix", StepName::queries, "W_query and W_key changed places",
              [](Recipe& recipe) { std::swap(recipe[StepName::queries], recipe[StepName::keys]); });
}

void add_weight_matrices(SlipList* list) {
  const Input& input = list->input();
  for (const Projection& one : three_projections(input)) {
    for (const Projection& other : three_projections(input)) {
      if (one.step == other.step || one.weight.size(1) != other.weight.size(1)) continue;
      const std::string text = filled("the {} were made with W_{} instead of W_{}",
                                      foveal::trace::text(one.step), other.name, one.name);
      list->add("wrong_weight_matrix", one.step, text,
                projection_rule(input, one.step, other.weight, one.bias));
      if (!other.bias.defined()) continue;
      list->add("wrong_weight_matrix", one.step, text,
                projection_rule(input, one.step, other.weight, other.bias));
    }
    if (is_square(one)) {
      list->add(one.name + "_is_input", one.step,
                filled("the inputs themselves stand for the {}: W_{} was left out",
                       foveal::trace::text(one.step), one.name),
                projection_rule(input, one.step, {}, {}));
    }
  }
}

void add_transposed_weights(SlipList* list) {
  const Input& input = list->input();
  std::vector<Projection> square;
  for (const Projection& one : three_projections(input)) {
    if (is_square(one)) square.push_back(one);
  }
  const auto transposed = [&input](const Projection& one) {
    return projection_rule(input, one.step, one.weight.transpose(0, 1).contiguous(), one.bias);
  };
  for (const Projection& one : square) {
    list->add("weight_transposed", one.step,
              filled("W_{0} was transposed: X · W_{0}ᵀ instead of X · W_{0}", one.name),
              transposed(one));
  }
  if (square.size() < 2) return;
  list->plant("weight_transposed", square.front().step,
              "every W was transposed: X · Wᵀ instead of X · W",
              [square, transposed](Recipe& recipe) {
                for (const Projection& one : square) recipe[one.step] = transposed(one);
              });
}

void add_output_transposed(SlipList* list) {
  const std::optional<Projection> out = projection_of(list->input(), StepName::output);
  if (!out || !is_square(*out)) return;
  list->add("weight_transposed", StepName::output,
            "W_out was transposed: O · W_outᵀ instead of O · W_out",
            projection_rule(list->input(), StepName::output,
                            out->weight.transpose(0, 1).contiguous(), out->bias));
}

}  // namespace

void add_operand_slips(SlipList* list) {
  add_scores(list);
  add_values(list);
  add_output_transposed(list);
  if (!list->input().W_query.defined()) return;
  add_weight_matrices(list);
  add_taken_for(list);
  add_transposed_weights(list);
}

}  // namespace foveal::trace
