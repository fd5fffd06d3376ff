#include "trace/chain.h"

#include "foveal/error.h"
#include "foveal/operations.h"
#include "foveal/reference.h"
#include "trace/steps.h"

namespace foveal::trace {

namespace {

using Steps = std::map<std::string, Tensor>;

const Tensor& data_of(const Record& record, const std::string& name) {
  const Step* step = find_step(record, name);
  if (step == nullptr) throw Error("record: no step " + name, ErrorKind::internal);
  return step->data;
}

/// (L, H D) -> (H, L, D); one head keeps its rank.
Tensor split_heads(const Tensor& x, std::int64_t heads) {
  if (heads == 1) return x;
  return x.reshape({x.size(0), heads, x.size(1) / heads}).transpose(0, 1);
}

Tensor join_heads(const Tensor& x) {
  if (x.rank() == 2) return x;
  return x.transpose(0, 1).reshape({x.size(1), x.size(0) * x.size(2)});
}

Tensor project(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor result = weight.defined() ? matmul(x, weight) : x;
  return bias.defined() ? result + bias : result;
}

Tensor product(const Tensor& query, const Tensor& key, Recipe::Product kind) {
  if (kind == Recipe::Product::untransposed_key) return matmul(query, key);
  if (kind == Recipe::Product::key_query) return reference::scores(key, query);
  return reference::scores(query, key);
}

Tensor softmax_of(const Steps& steps, const Recipe& recipe) {
  if (recipe.softmax == Recipe::Softmax::over_queries)
    return softmax(steps.at("masked_scores"), -2);
  if (recipe.softmax == Recipe::Softmax::over_keys) return softmax(steps.at("masked_scores"), -1);
  const Tensor all = softmax(steps.at("scaled_scores"), -1);
  return recipe.mask.defined() ? all * steps.at("mask").to(DType::float64) : all;
}

/// One pass over the steps: each is computed from those before it, then substituted into.
class Pass {
 public:
  Pass(const Record& record, const Recipe& recipe, const std::vector<Substitution>& substitutions)
      : record_(record), recipe_(recipe), substitutions_(substitutions) {}

  Steps run() {
    projections();
    scores_to_weights();
    weights_to_output();
    return std::move(steps_);
  }

 private:
  void put(const std::string& name, Tensor data) {
    bool own = false;
    for (const Substitution& one : substitutions_) {
      if (one.step != name) continue;
      if (!own) data = data.clone();
      own = true;
      data.set(one.cell, one.value);
    }
    steps_[name] = data;
  }

  void projections() {
    const Input& input = record_.input;
    const std::int64_t heads = input.settings.num_heads;
    put("inputs", input.inputs);
    const Tensor& x = steps_["inputs"];
    put("queries", split_heads(project(x, recipe_.W_query, input.b_query), heads));
    put("keys", split_heads(project(x, recipe_.W_key, input.b_key), heads));
    put("values", split_heads(project(x, recipe_.W_value, input.b_value), heads));
  }

  void scores_to_weights() {
    const Tensor plain = product(steps_["queries"], steps_["keys"], recipe_.product);
    put("scores", plain * recipe_.score_factor);
    put("scaled_scores", reference::scaled_scores(steps_["scores"], recipe_.scale));
    const Tensor& scaled = steps_["scaled_scores"];
    if (recipe_.mask.defined()) {
      put("mask", recipe_.mask);
      put("masked_scores", reference::masked_scores(scaled, steps_["mask"]));
    } else {
      put("masked_scores", scaled);
    }
    put("weights", softmax_of(steps_, recipe_));
  }

  void weights_to_output() {
    put("dropped_weights", steps_["weights"]);
    if (recipe_.dropout) {
      put("dropout_mask", data_of(record_, "dropout_mask"));
      const Tensor kept = steps_["weights"] * steps_["dropout_mask"];
      put("dropped_weights", kept * recipe_.dropout_scale);
    }
    put("context", join_heads(reference::context(steps_["dropped_weights"], steps_["values"])));
    if (record_.input.W_out.defined()) {
      put("output", project(steps_["context"], recipe_.W_out, record_.input.b_out));
    }
  }

  const Record& record_;
  const Recipe& recipe_;
  const std::vector<Substitution>& substitutions_;
  Steps steps_;
};

}  // namespace

Recipe recipe(const Record& record) {
  const Input& input = record.input;
  Recipe result;
  result.W_query = input.W_query;
  result.W_key = input.W_key;
  result.W_value = input.W_value;
  result.W_out = input.W_out;
  result.scale = scale_factor(input);
  if (const Step* mask = find_step(record, "mask")) result.mask = mask->data;
  if (input.settings.dropout) {
    result.dropout = true;
    const double p = input.settings.dropout->p;
    result.dropout_scale = p < 1 ? 1 / (1 - p) : 0;
  }
  return result;
}

std::map<std::string, Tensor> compute(const Record& record, const Recipe& recipe,
                                      const std::vector<Substitution>& substitutions) {
  return Pass(record, recipe, substitutions).run();
}

}  // namespace foveal::trace
