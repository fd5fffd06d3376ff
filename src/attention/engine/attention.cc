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

void check_shape(const Tensor& tensor, const char* name, const Shape& planned) {
  if (tensor.shape() == planned) return;
  throw Error(std::string("Plan::run: ") + name + " has shape " + to_string(tensor.shape()) +
              " but the plan is for " + to_string(planned) + ": make a plan for this shape");
}

/// In strict mode a tensor is used where it lies, or not at all.
void check_strides(const PlanData& plan, const Tensor& tensor, const char* name) {
  if (!plan.options.strict || tensor.size(-1) == 1 || tensor.strides().back() == 1) return;
  throw Error(std::string("attention: ") + name + " has last stride " +
              std::to_string(tensor.strides().back()) +
              ": strict refuses the copy that makes it 1; call contiguous() first");
}

}  // namespace

AttentionResult run_plan(const PlanData& plan, const Tensor& query, const Tensor& key,
                         const Tensor& value) {
  check_strides(plan, query, "query");
  check_strides(plan, key, "key");
  check_strides(plan, value, "value");
  AttentionResult result = run_forward(plan, query, key, value);
  if (!needs_second_pass(plan.options)) return result;
  add_statistics(plan, query, key, value, result);
  if (!plan.options.return_lse) result.lse = Tensor();
  return result;
}

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
  const Plan plan =
      plan_attention(query.shape(), key.shape(), value.shape(), query.dtype(), options);
  return run_plan(plan.data(), query, key, value);
} catch (...) {
  rethrow_as_error("attention");
}

AttentionResult Plan::run(const Tensor& query, const Tensor& key, const Tensor& value) const try {
  check_dtypes(query, key, value);
  const Problem& p = data_->problem;
  check_shape(query, "query", {p.batch, p.heads, p.query_length, p.head_size});
  check_shape(key, "key", {p.batch, p.kv_heads, p.key_length, p.head_size});
  check_shape(value, "value", {p.batch, p.kv_heads, p.key_length, p.value_size});
  if (query.dtype() != p.dtype) {
    throw Error("Plan::run: query has dtype " + to_string(query.dtype()) + " but the plan is for " +
                to_string(p.dtype) + ": make a plan for this dtype");
  }
  return run_plan(*data_, query, key, value);
} catch (...) {
  rethrow_as_error("Plan::run");
}

AttentionState attention_state(const Tensor& query, const Tensor& key, const Tensor& value,
                               const AttentionOptions& options) try {
  check_dtypes(query, key, value);
  if (needs_second_pass(options) || gathers_rows(options)) {
    throw Error(
        "attention_state: weights and statistics are asked for, but a part of the keys has none: "
        "ask attention() over all keys");
  }
  const Plan plan =
      plan_attention(query.shape(), key.shape(), value.shape(), query.dtype(), options);
  return run_state(plan.data(), query, key, value);
} catch (...) {
  rethrow_as_error("attention_state");
}

}  // namespace foveal
