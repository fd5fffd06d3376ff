#pragma once
// Gradients by reverse mode, with PyTorch's names and meaning (Tensor has the rest: requires_grad_,
// backward, grad, ...). What operations of operations.h, views and attention() make from a tensor
// that requires a gradient is recorded; backward runs through the record from the last operation to
// the first (Griewank and Walther, Evaluating Derivatives, 2008, chapter 3). Gradients have the
// dtype of what they belong to, and are first derivatives: none is recorded itself.
//
// Several threads may record and run backward at once.

#include <functional>
#include <string>
#include <vector>

#include "foveal/tensor.h"

#pragma GCC visibility push(default)
namespace foveal {

/// While one lives its thread records nothing: operations cost what they cost without gradients,
/// and leaves may be written in place.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// The gradients of the sum of `outputs`, each of one element, with respect to `inputs`, each of
/// which requires one, each in memory of its own; undefined for an input that doesn't matter.
/// Touches no grad(). What was saved for the outputs is let go of unless `retain_graph`.
std::vector<Tensor> gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                              bool retain_graph = false);

struct GradientCheck {
  bool agrees = false;
  double worst = 0;        ///< largest |backward - difference| / max(1, |difference|)
  std::string where = {};  ///< the element of that, with both numbers
};

/// Compares the gradients of function(inputs), which must return the same for the same inputs, with
/// central differences in float64: agrees where `worst` is at most 1e-6. Floating inputs must be
/// float64, and are written and put back while this runs; others are passed along. The function's
/// result, of any shape, is weighed with fixed numbers so that no error cancels.
GradientCheck check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& function,
                              const std::vector<Tensor>& inputs);

}  // namespace foveal
#pragma GCC visibility pop
