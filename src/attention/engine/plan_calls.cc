// What a Plan of the caller's runs; run_plan itself stands behind attention().

#include <algorithm>
#include <array>
#include <string_view>

#include "attention/engine/engine.h"
#include "attention/engine/run_scope.h"
#include "core/door.h"
#include "foveal/error.h"
#include "foveal/plan.h"

namespace foveal {
namespace {

using Sizes = std::array<std::int64_t, 4>;

/// Whether the third axis of keys or values is all that differs.
bool differs_in_keys(const char* name, const Shape& shape, const Sizes& planned) {
  return std::string_view(name) != "query" && shape.size() == 4 && shape[0] == planned[0] &&
         shape[1] == planned[1] && shape[3] == planned[3];
}

void check_shape(const Tensor& tensor, const char* name, const Sizes& planned,
                 const char* function) {
  const Shape& shape = tensor.shape();
  if (std::equal(shape.begin(), shape.end(), planned.begin(), planned.end())) return;
  // C's plans have none.
  const bool mends =
      differs_in_keys(name, shape, planned) && std::string_view(function).starts_with("Plan::");
  throw Error(std::string(function) + ": " + name + " has shape " + to_string(shape) +
              " but the plan is for " + to_string(Shape(planned.begin(), planned.end())) +
              ": make a plan for this shape" +
              (mends ? ", or tell this one with set_lengths" : ""));
}

}  // namespace

void check_inputs(const PlanData& plan, const CallInputs& inputs, const char* function) {
  const auto& [query, key, value] = inputs;
  check_dtypes(query, key, value);
  const Problem& p = plan.problem;
  check_shape(query, "query", {p.batch, p.heads, p.query_length, p.head_size}, function);
  check_shape(key, "key", {p.batch, p.kv_heads, p.key_length, p.head_size}, function);
  check_shape(value, "value", {p.batch, p.kv_heads, p.key_length, p.value_size}, function);
  if (query.dtype() != p.dtype) {
    throw Error(std::string(function) + ": query has dtype " + to_string(query.dtype()) +
                " but the plan is for " + to_string(p.dtype) + ": make a plan for this dtype");
  }
}

void run_backward(const PlanData& plan, const Tensor& grad_output, const CallInputs& inputs,
                  const AttentionResult& result, AttentionGradients& gradients, bool add,
                  const char* function) {
  const RunScope scope(plan);
  check_backward(plan, grad_output, inputs, result, gradients, function);
  compute_gradients(plan, grad_output, inputs, result, gradients, add);
}

void run_state(const PlanData& plan, const CallInputs& inputs, AttentionState& state,
               const char* function) {
  if (needs_second_pass(plan.options) || gathers_rows(plan.options)) {
    throw Error(std::string(function) +
                ": weights and statistics are asked for, but a part of the keys has none: ask "
                "attention() over all keys");
  }
  run_or_undo({&state.output, &state.maximum, &state.sum}, [&] {
    const RunScope scope(plan);
    compute_state(plan, inputs, state, function);
  });
}

AttentionResult Plan::run(const Tensor& query, const Tensor& key, const Tensor& value) const try {
  const CallInputs inputs{query, key, value};
  check_inputs(*data_, inputs, "Plan::run");
  AttentionResult result;
  run_plan(*data_, inputs, result, "Plan::run");
  return result;
} catch (...) {
  rethrow_as_error("Plan::run");
}

void Plan::run_into(AttentionResult& result, const Tensor& query, const Tensor& key,
                    const Tensor& value) const try {
  const CallInputs inputs{query, key, value};
  check_inputs(*data_, inputs, "Plan::run_into");
  run_plan(*data_, inputs, result, "Plan::run_into");
} catch (...) {
  rethrow_as_error("Plan::run_into");
}

AttentionGradients Plan::backward(const Tensor& grad_output, const Tensor& query, const Tensor& key,
                                  const Tensor& value, const AttentionResult& result) const try {
  const CallInputs inputs{query, key, value};
  check_inputs(*data_, inputs, "Plan::backward");
  AttentionGradients gradients;
  run_backward(*data_, grad_output, inputs, result, gradients, false, "Plan::backward");
  return gradients;
} catch (...) {
  rethrow_as_error("Plan::backward");
}

void Plan::backward_into(AttentionGradients& gradients, const Tensor& grad_output,
                         const Tensor& query, const Tensor& key, const Tensor& value,
                         const AttentionResult& result, bool add) const try {
  const CallInputs inputs{query, key, value};
  check_inputs(*data_, inputs, "Plan::backward_into");
  run_backward(*data_, grad_output, inputs, result, gradients, add, "Plan::backward_into");
} catch (...) {
  rethrow_as_error("Plan::backward_into");
}

AttentionState Plan::state(const Tensor& query, const Tensor& key, const Tensor& value) const try {
  const CallInputs inputs{query, key, value};
  check_inputs(*data_, inputs, "Plan::state");
  AttentionState state;
  run_state(*data_, inputs, state, "Plan::state");
  return state;
} catch (...) {
  rethrow_as_error("Plan::state");
}

void Plan::state_into(AttentionState& state, const Tensor& query, const Tensor& key,
                      const Tensor& value) const try {
  const CallInputs inputs{query, key, value};
  check_inputs(*data_, inputs, "Plan::state_into");
  run_state(*data_, inputs, state, "Plan::state_into");
} catch (...) {
  rethrow_as_error("Plan::state_into");
}

}  // namespace foveal
