// Gradients against central differences.

#include <algorithm>
#include <cmath>

#include "core/number_text.h"
#include "foveal/autograd.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/check.h"
#include "tensor/walk.h"

namespace foveal {
namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// Weights from -1 to 1 that no sum or symmetry of results cancels.
Tensor weights_for(const Tensor& result) {
  std::vector<double> weights(static_cast<std::size_t>(result.element_count()));
  for (std::size_t n = 0; n < weights.size(); ++n) {
    weights[n] = std::sin(1.7 * static_cast<double>(n) + 0.4);
  }
  return Tensor::from_vector(weights, result.shape());
}

/// The result's weighted sum; a result of another dtype is converted.
Tensor weighed(const Function& function, const std::vector<Tensor>& inputs) {
  const Tensor result = function(inputs).to(DType::float64);
  return sum(result * weights_for(result));
}

bool is_checked(const Tensor& input) { return input.defined() && is_floating(input.dtype()); }

/// As it lies, where it can be written and no earlier one has its memory; its gradient is wanted.
Tensor as_leaf(const std::vector<Tensor>& inputs, std::size_t n) {
  const Tensor& input = inputs[n];
  if (!is_checked(input)) return input;
  if (input.dtype() != DType::float64) {
    throw Error("check_gradients: inputs[" + std::to_string(n) + "] has dtype " +
                to_string(input.dtype()) +
                ": differences need float64; convert it with to(float64)");
  }
  const bool repeats = [&] {
    for (std::int64_t axis = 0; axis < input.rank(); ++axis) {
      if (input.strides()[axis] == 0 && input.size(axis) > 1) return true;
    }
    return false;
  }();
  const NoGrad off;
  const auto earlier = inputs.begin() + static_cast<std::ptrdiff_t>(n);
  const bool shared = std::any_of(inputs.begin(), earlier, [&input](const Tensor& other) {
    return other.defined() && other.shares_storage(input);
  });
  Tensor leaf = repeats || shared || input.read_only() ? input.clone() : input.detach();
  return leaf.requires_grad_();
}

/// d weighed / d input at the index.
double difference(const Function& function, const std::vector<Tensor>& inputs, Tensor& input,
                  const std::vector<std::int64_t>& index) {
  const NoGrad off;
  const double value = input.at(index), step = 1e-5 * std::max(1.0, std::abs(value));
  const auto at = [&](double moved) {
    input.set(index, moved);
    return weighed(function, inputs).item();
  };
  const double above = value + step, below = value - step;
  try {
    const double rise = at(above) - at(below);
    input.set(index, value);
    return rise / (above - below);
  } catch (...) {
    input.set(index, value);
    throw;
  }
}

}  // namespace

GradientCheck check_gradients(const Function& function, const std::vector<Tensor>& inputs) {
  constexpr double kMostOff = 1e-6;
  std::vector<Tensor> leaves;
  leaves.reserve(inputs.size());
  for (std::size_t n = 0; n < inputs.size(); ++n) leaves.push_back(as_leaf(inputs, n));
  weighed(function, leaves).backward();
  GradientCheck check;
  for (std::size_t n = 0; n < leaves.size(); ++n) {
    if (!is_checked(leaves[n])) continue;
    const Tensor grad = leaves[n].grad();
    for (std::int64_t position = 0; position < leaves[n].element_count(); ++position) {
      const std::vector<std::int64_t> index = index_of(position, leaves[n].shape());
      const double ours = grad.defined() ? grad.at(index) : 0;
      const double theirs = difference(function, leaves, leaves[n], index);
      const double off = std::abs(ours - theirs) / std::max(1.0, std::abs(theirs));
      if (off <= check.worst) continue;  // NaN goes on
      check.worst = std::isnan(off) ? INFINITY : off;
      check.where = "inputs[" + std::to_string(n) + "] at " + to_string(index) + ": " +
                    number_text(ours) + " by backward, " + number_text(theirs) + " by differences";
    }
  }
  check.agrees = check.worst <= kMostOff;
  return check;
}

}  // namespace foveal
