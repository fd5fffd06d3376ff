// From the public functions to a plan, and from the plan to the kernels: attention() makes a plan
// of what it was given (plan_attention), and run_plan runs it. Its first pass (forward.cc) takes
// each tile of queries through its tiles of keys (key_tiles.h) with the kernels' three steps,
// begin, tile and end (kernels/forward/forward.h); weights and column mass take a second pass.

#include "foveal/attention.h"

#include "attention/engine/engine.h"
#include "attention/engine/recorded.h"
#include "attention/engine/run_scope.h"
#include "core/door.h"
#include "foveal/error.h"
#include "tensor/operation_times.h"

namespace foveal {
namespace {

void check_tensor(const Tensor& tensor, const char* name) {
  if (!tensor.defined()) {
    throw Error(std::string("attention: ") + name + " is undefined: give a tensor");
  }
}

bool requires_gradient(const Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

Plan plan_for(const Tensor& query, const Tensor& key, const Tensor& value,
              const AttentionOptions& options) {
  return plan_attention(query.shape(), key.shape(), value.shape(), query.dtype(), options);
}

/// In strict mode a tensor is used where it lies, or not at all.
void check_strides(const PlanData& plan, const Tensor& tensor, const char* name) {
  if (!plan.options.strict || tensor.size(-1) == 1 || tensor.strides().back() == 1) return;
  throw Error(std::string("attention: ") + name + " has last stride " +
              std::to_string(tensor.strides().back()) +
              ": strict refuses the copy that makes it 1; call contiguous() first");
}

void run_passes(const PlanData& plan, const CallInputs& inputs, AttentionResult& result) {
  run_forward(plan, inputs, result);
  result.plan = plan.fingerprint;
  if (!needs_second_pass(plan.options)) return;
  add_statistics(plan, inputs, result);
  if (!plan.options.return_lse) result.lse = Tensor();
}

}  // namespace

void check_dtypes(const Tensor& query, const Tensor& key, const Tensor& value) {
  check_tensor(query, "query");
  check_tensor(key, "key");
  check_tensor(value, "value");
  for (const auto& [tensor, name] : {std::pair(&key, "key"), std::pair(&value, "value")}) {
    if (tensor->dtype() != query.dtype()) {
      throw Error(std::string("attention: ") + name + " has dtype " + to_string(tensor->dtype()) +
                  " but query has " + to_string(query.dtype()) +
                  ": they must match; convert with to()");
    }
  }
}

void run_plan(const PlanData& plan, const CallInputs& inputs, AttentionResult& result,
              const char* function) {
  check_strides(plan, inputs.query, "query");
  check_strides(plan, inputs.key, "key");
  check_strides(plan, inputs.value, "value");
  run_or_undo({&result.output, &result.lse, &result.weights}, [&] {
    const RunScope scope(plan);
    prepare_results(plan, inputs, result, function);
    run_passes(plan, inputs, result);
  });
}

AttentionResult attention(const Tensor& query, const Tensor& key, const Tensor& value,
                          const AttentionOptions& options) try {
  const TimedOperation timed("attention");
  check_dtypes(query, key, value);
  if (records_attention(query, key, value, options)) {
    return recorded_attention(query, key, value, options);
  }
  AttentionResult result;
  run_plan(plan_for(query, key, value, options).data(), {query, key, value}, result, "attention");
  return result;
} catch (...) {
  rethrow_as_error("attention");
}

void attention_into(AttentionResult& result, const Tensor& query, const Tensor& key,
                    const Tensor& value, const AttentionOptions& options) try {
  const TimedOperation timed("attention");
  check_dtypes(query, key, value);
  const bool leaf_result =
      recording() && (requires_gradient(result.output) || requires_gradient(result.lse) ||
                      requires_gradient(result.weights));
  if (leaf_result || records_attention(query, key, value, options)) {
    throw Error(
        "attention_into: a tensor requires a gradient, but what is written in place isn't "
        "recorded: call attention, or hold a NoGrad");
  }
  run_plan(plan_for(query, key, value, options).data(), {query, key, value}, result,
           "attention_into");
} catch (...) {
  rethrow_as_error("attention_into");
}

AttentionGradients attention_backward(const Tensor& grad_output, const Tensor& query,
                                      const Tensor& key, const Tensor& value,
                                      const AttentionResult& result,
                                      const AttentionOptions& options) try {
  check_dtypes(query, key, value);
  AttentionGradients gradients;
  run_backward(plan_for(query, key, value, options).data(), grad_output, {query, key, value},
               result, gradients, false, "attention_backward");
  return gradients;
} catch (...) {
  rethrow_as_error("attention_backward");
}

void attention_backward_into(AttentionGradients& gradients, const Tensor& grad_output,
                             const Tensor& query, const Tensor& key, const Tensor& value,
                             const AttentionResult& result, const AttentionOptions& options,
                             bool add) try {
  check_dtypes(query, key, value);
  run_backward(plan_for(query, key, value, options).data(), grad_output, {query, key, value},
               result, gradients, add, "attention_backward_into");
} catch (...) {
  rethrow_as_error("attention_backward_into");
}

AttentionState attention_state(const Tensor& query, const Tensor& key, const Tensor& value,
                               const AttentionOptions& options) try {
  check_dtypes(query, key, value);
  AttentionState state;
  run_state(plan_for(query, key, value, options).data(), {query, key, value}, state,
            "attention_state");
  return state;
} catch (...) {
  rethrow_as_error("attention_state");
}

void attention_state_into(AttentionState& state, const Tensor& query, const Tensor& key,
                          const Tensor& value, const AttentionOptions& options) try {
  check_dtypes(query, key, value);
  run_state(plan_for(query, key, value, options).data(), {query, key, value}, state,
            "attention_state_into");
} catch (...) {
  rethrow_as_error("attention_state_into");
}

}  // namespace foveal
