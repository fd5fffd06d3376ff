// What a backward is given: checked before any work.

#include <array>

#include "attention/engine/engine.h"
#include "attention/plan/fingerprint.h"
#include "core/thread_pool.h"
#include "foveal/error.h"

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

struct Written {
  const char* name;
  const Tensor* tensor;
  bool asked;
  const Tensor* like;  ///< has its shape and dtype
};

std::array<Written, 6> written_of(const AttentionOptions& options, const CallInputs& inputs,
                                  const AttentionGradients& gradients) {
  const GradientOptions& asked = options.gradients;
  return {{{"gradients.q", &gradients.q, true, &inputs.query},
           {"gradients.k", &gradients.k, true, &inputs.key},
           {"gradients.v", &gradients.v, true, &inputs.value},
           {"gradients.bias", &gradients.bias, asked.bias, &options.bias},
           {"gradients.sinks", &gradients.sinks, asked.sinks, &options.sinks},
           {"gradients.alibi_slopes", &gradients.alibi_slopes, asked.alibi_slopes,
            &options.alibi_slopes}}};
}

void check_gradients(const PlanData& plan, const Tensor& grad_output, const CallInputs& inputs,
                     const AttentionResult& result, const AttentionGradients& gradients,
                     const char* function) {
  const AttentionOptions& options = plan.options;
  const std::pair<const char*, const Tensor*> read[] = {{"grad_output", &grad_output},
                                                        {"query", &inputs.query},
                                                        {"key", &inputs.key},
                                                        {"value", &inputs.value},
                                                        {"result.output", &result.output},
                                                        {"result.lse", &result.lse},
                                                        {"bias", &options.bias},
                                                        {"alibi_slopes", &options.alibi_slopes},
                                                        {"sinks", &options.sinks},
                                                        {"dropout_mask", &options.dropout_mask}};
  const std::array<Written, 6> all = written_of(options, inputs, gradients);
  for (const auto& [name, tensor, asked, like] : all) {
    if (!tensor->defined()) continue;
    if (!asked) {
      throw Error(std::string(function) + ": " + name +
                  " is given but not asked for: ask in the options' gradients, or leave it "
                  "undefined");
    }
    check_written(*tensor, name, like->shape(), like->dtype(), function);
    for (const auto& [other_name, other] : read) {
      check_apart(*tensor, name, *other, other_name, function);
    }
    for (const Written& other : all) {
      if (other.tensor != tensor) {
        check_apart(*tensor, name, *other.tensor, other.name, function);
      }
    }
  }
}

/// Bytes of the gradients that have to be made.
double gradient_bytes(const CallInputs& inputs, const AttentionGradients& gradients) {
  double bytes = 0;
  for (const auto& [given, like] :
       {std::pair(&gradients.q, &inputs.query), std::pair(&gradients.k, &inputs.key),
        std::pair(&gradients.v, &inputs.value)}) {
    if (given->defined()) continue;
    bytes +=
        static_cast<double>(like->element_count()) * static_cast<double>(size_of(like->dtype()));
  }
  return bytes;
}

}  // namespace

void check_backward(const PlanData& plan, const Tensor& grad_output, const CallInputs& inputs,
                    const AttentionResult& result, const AttentionGradients& gradients,
                    const char* function) {
  const Problem& problem = plan.problem;
  const DType sums = problem.dtype == DType::float64 ? DType::float64 : DType::float32;
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
  check_gradients(plan, grad_output, inputs, result, gradients, function);
  require_memory(gradient_bytes(inputs, gradients), backward_bytes(plan, threads_of_call()),
                 function);
}

}  // namespace foveal
