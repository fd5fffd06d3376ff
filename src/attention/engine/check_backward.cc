// What a backward is given: checked before any work.

#include "attention/engine/engine.h"
#include "attention/plan/fingerprint.h"
#include "core/thread_pool.h"
#include "foveal/error.h"
#include "tensor/wide_rows.h"

namespace foveal {
namespace {

void check_given(const Tensor& tensor, const char* name, const Shape& shape, DType dtype,
                 const std::string& function) {
  if (tensor.defined() && tensor.shape() == shape && tensor.dtype() == dtype) return;
  const std::string rule = std::string(": it must be ") + std::string(to_string(dtype)) +
                           " of shape " + to_string(shape);
  if (!tensor.defined()) throw Error(function + ": " + name + " is undefined" + rule);
  throw Error(function + ": " + name + " has shape " + to_string(tensor.shape()) + " and dtype " +
              to_string(tensor.dtype()) + rule);
}

void check_asked(bool asked, const Tensor& tensor, const char* name, const std::string& function) {
  if (!asked || tensor.defined()) return;
  throw Error(function + ": gradients." + name + " is asked for but " + name +
              " is undefined: give the tensor that attention was given");
}

/// Checks those that are given; the bytes of those to be made.
double check_gradients(const PlanData& plan, const Tensor& grad_output, const CallInputs& inputs,
                       const AttentionResult& result, const AttentionGradients& gradients,
                       const char* function) {
  const AttentionOptions& options = plan.options;
  const GradientOptions& asked = options.gradients;
  const NamedTensor read[] = {{"grad_output", &grad_output},
                              {"query", &inputs.query},
                              {"key", &inputs.key},
                              {"value", &inputs.value},
                              {"result.output", &result.output},
                              {"result.lse", &result.lse},
                              {"bias", &options.bias},
                              {"alibi_slopes", &options.alibi_slopes},
                              {"sinks", &options.sinks},
                              {"dropout_mask", &options.dropout_mask}};
  const auto like = WrittenTensor::shaped_like;
  const WrittenTensor written[] = {
      like(inputs.query, "gradients.q", gradients.q, true),
      like(inputs.key, "gradients.k", gradients.k, true),
      like(inputs.value, "gradients.v", gradients.v, true),
      like(options.bias, "gradients.bias", gradients.bias, asked.bias),
      like(options.sinks, "gradients.sinks", gradients.sinks, asked.sinks),
      like(options.alibi_slopes, "gradients.alibi_slopes", gradients.alibi_slopes,
           asked.alibi_slopes)};
  check_written(written, read, {"", "the options' gradients"}, function);
  return bytes_to_make(written);
}

}  // namespace

void check_backward(const PlanData& plan, const Tensor& grad_output, const CallInputs& inputs,
                    const AttentionResult& result, const AttentionGradients& gradients,
                    const char* function) {
  const Problem& problem = plan.problem;
  const DType sums = wide_dtype(problem.dtype);
  const std::string name = function;
  if (!result.lse.defined()) {
    throw Error(name + ": result.lse is undefined: ask attention for return_lse");
  }
  check_given(grad_output, "grad_output", problem.output_shape(), problem.dtype, name);
  check_given(result.output, "result.output", problem.output_shape(), problem.dtype, name);
  check_given(result.lse, "result.lse", problem.row_shape(), sums, name);
  const AttentionOptions& options = plan.options;
  check_asked(options.gradients.bias, options.bias, "bias", name);
  check_asked(options.gradients.sinks, options.sinks, "sinks", name);
  check_asked(options.gradients.alibi_slopes, options.alibi_slopes, "alibi_slopes", name);
  check_fingerprint(plan, result, function);
  const double made = check_gradients(plan, grad_output, inputs, result, gradients, function);
  require_memory(made, backward_bytes(plan, threads_of_call()), function);
}

}  // namespace foveal
