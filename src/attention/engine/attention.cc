// The doors of a call without a plan: each makes one, and runs it.

#include "foveal/attention.h"

#include "attention/engine/engine.h"
#include "attention/engine/recorded.h"
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

Plan plan_for(const Tensor& query, const Tensor& key, const Tensor& value,
              const AttentionOptions& options) {
  return plan_attention(query.shape(), key.shape(), value.shape(), query.dtype(), options);
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
  if (records_attention(query, key, value, options)) {
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

AttentionState attention_state(const Tensor& query, const Tensor& key, const Tensor& value,
                               const AttentionOptions& options) try {
  check_dtypes(query, key, value);
  return run_state(plan_for(query, key, value, options).data(), {query, key, value},
                   "attention_state");
} catch (...) {
  rethrow_as_error("attention_state");
}

}  // namespace foveal
