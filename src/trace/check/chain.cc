#include "trace/check/chain.h"

#include "foveal/error.h"
#include "foveal/operations.h"
#include "foveal/reference.h"
#include "trace/input/sizes.h"
#include "trace/run/recipe.h"

namespace foveal::trace {

namespace {

using StepMap = std::map<StepName, Tensor>;

const Tensor& data_of(const Record& record, StepName name) {
  const Step* step = find_step(record, name);
  if (step == nullptr) throw Error("record: no step " + text(name), ErrorKind::internal);
  return step->data;
}

Tensor product(const Tensor& query, const Tensor& key, ChangedRun::Product kind) {
  if (kind == ChangedRun::Product::untransposed_key) return matmul(query, key);
  if (kind == ChangedRun::Product::key_query) return reference::scores(key, query);
  return reference::scores(query, key);
}

Tensor softmax_of(const StepMap& steps, const ChangedRun& recipe) {
  if (recipe.softmax == ChangedRun::Softmax::over_queries)
    return softmax(steps.at(StepName::masked_scores), -2);
  if (recipe.softmax == ChangedRun::Softmax::over_keys)
    return softmax(steps.at(StepName::masked_scores), -1);
  const Tensor all = softmax(steps.at(StepName::scaled_scores), -1);
  return recipe.mask.defined() ? all * steps.at(StepName::mask).to(DType::float64) : all;
}

/// One pass over the steps: each is computed from those before it, then substituted into.
class Pass {
 public:
  Pass(const Record& record, const ChangedRun& recipe,
       const std::vector<Substitution>& substitutions)
      : record_(record), recipe_(recipe), substitutions_(substitutions) {}

  StepMap run() {
    projections();
    scores_to_weights();
    weights_to_output();
    return std::move(steps_);
  }

 private:
  void put(StepName name, Tensor data) {
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
    put(StepName::inputs, input.inputs);
    const Tensor& x = steps_[StepName::inputs];
    put(StepName::queries, split_heads(project(x, recipe_.W_query, input.b_query), heads));
    put(StepName::keys, split_heads(project(x, recipe_.W_key, input.b_key), heads));
    put(StepName::values, split_heads(project(x, recipe_.W_value, input.b_value), heads));
  }

  void scores_to_weights() {
    const Tensor plain =
        product(steps_[StepName::queries], steps_[StepName::keys], recipe_.product);
    put(StepName::scores, plain * recipe_.score_factor);
    put(StepName::scaled_scores, reference::scaled_scores(steps_[StepName::scores], recipe_.scale));
    const Tensor& scaled = steps_[StepName::scaled_scores];
    if (recipe_.mask.defined()) {
      put(StepName::mask, recipe_.mask);
      put(StepName::masked_scores, reference::masked_scores(scaled, steps_[StepName::mask]));
    } else {
      put(StepName::masked_scores, scaled);
    }
    put(StepName::weights, softmax_of(steps_, recipe_));
  }

  void weights_to_output() {
    put(StepName::dropped_weights, steps_[StepName::weights]);
    if (recipe_.dropout) {
      put(StepName::dropout_mask, data_of(record_, StepName::dropout_mask));
      const Tensor kept = steps_[StepName::weights] * steps_[StepName::dropout_mask];
      put(StepName::dropped_weights, kept * recipe_.dropout_scale);
    }
    put(StepName::context, join_heads(reference::context(steps_[StepName::dropped_weights],
                                                         steps_[StepName::values])));
    if (record_.input.W_out.defined()) {
      put(StepName::output, project(steps_[StepName::context], recipe_.W_out, record_.input.b_out));
    }
  }

  const Record& record_;
  const ChangedRun& recipe_;
  const std::vector<Substitution>& substitutions_;
  StepMap steps_;
};

}  // namespace

ChangedRun changed_run(const Record& record) {
  const Input& input = record.input;
  ChangedRun result;
  result.W_query = input.W_query;
  result.W_key = input.W_key;
  result.W_value = input.W_value;
  result.W_out = input.W_out;
  result.scale = scale_factor(input);
  if (const Step* mask = find_step(record, StepName::mask)) result.mask = mask->data;
  if (input.settings.dropout) {
    result.dropout = true;
    const double p = input.settings.dropout->p;
    result.dropout_scale = p < 1 ? 1 / (1 - p) : 0;
  }
  return result;
}

std::map<StepName, Tensor> recompute(const Record& record, const ChangedRun& recipe,
                                     const std::vector<Substitution>& substitutions) {
  return Pass(record, recipe, substitutions).run();
}

}  // namespace foveal::trace
