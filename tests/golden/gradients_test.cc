// Gradients of multi-head attention, by differences in float64 and by backward, step by step and
// fused: golden and module must agree whatever the way to them.

#include <functional>

#include "golden/golden.h"

namespace foveal {
namespace {

/// d loss / d x by two central differences; their combination (Richardson) leaves an error of h^4.
Tensor numeric_gradient(Tensor& x, const std::function<double()>& loss) {
  constexpr double kStep = 1e-3;
  const NoGrad off;
  const auto difference = [&](const std::vector<std::int64_t>& index, double step) {
    const double value = x.at(index);
    x.set(index, value + step);
    const double above = loss();
    x.set(index, value - step);
    const double below = loss();
    x.set(index, value);
    return (above - below) / (2 * step);
  };
  const Strides strides = row_major_strides(x.shape());
  std::vector<double> gradient;
  for (std::int64_t i = 0; i < x.element_count(); ++i) {
    std::vector<std::int64_t> index;
    for (std::size_t axis = 0; axis < strides.size(); ++axis) {
      index.push_back(i / strides[axis] % x.shape()[axis]);
    }
    gradient.push_back((4 * difference(index, kStep / 2) - difference(index, kStep)) / 3);
  }
  return Tensor::from_vector(gradient, x.shape());
}

TEST_F(Golden, multi_head_gradients) {
  Generator generator(seed());
  nn::MultiHeadAttention module(
      {.d_in = 3, .d_out = 4, .context_length = 6, .dropout = 0.0, .num_heads = 2}, generator);
  module.to(DType::float64);
  Tensor x = chapter_batch().to(DType::float64);
  const auto loss = [&] {
    const Tensor output = module.forward(x);
    return sum(output * output).item();
  };
  expect_close("/loss_input_gradient", numeric_gradient(x, loss));
  StateDict parameters = module.named_parameters();
  ASSERT_EQ(parameters.size(), at("/gradients").size());
  for (auto& [name, parameter] : parameters) {
    expect_close("/gradients/" + name, numeric_gradient(parameter, loss));
  }
  x.requires_grad_();
  for (const bool fused : {false, true}) {
    module.fused = fused;
    module.zero_grad();
    x.zero_grad();
    const Tensor output = module.forward(x);
    sum(output * output).backward();
    expect_close("/loss_input_gradient", x.grad());
    for (const auto& [name, parameter] : parameters) {
      expect_close("/gradients/" + name, parameter.grad());
    }
  }
}

}  // namespace
}  // namespace foveal
