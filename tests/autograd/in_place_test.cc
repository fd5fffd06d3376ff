// Writes in place while operations are recorded.

#include <gtest/gtest.h>

#include "case_count.h"
#include "foveal/foveal.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using samples::Sampler;

Tensor leaf(const NestedList& values) { return tensor(values, DType::float64).requires_grad_(); }

TEST(InPlace, AnIntegerThatWasCopiedToHasNoGradient) {
  Tensor w = leaf({1.5, 2.5});
  Tensor whole = Tensor::zeros({2}, DType::int64), flags = Tensor::zeros({2}, DType::boolean);
  whole.copy_(w);
  flags.copy_(w);
  EXPECT_FALSE(whole.requires_grad() || flags.requires_grad());
  EXPECT_EQ(whole.to_vector(), (std::vector<double>{1, 2}));
  EXPECT_FALSE(whole.to(DType::float64).requires_grad());
}

/// Such a view has no history, but what it looks at has.
TEST(InPlace, AViewMadeUnderNoGradIsStillAView) {
  Tensor w = leaf({1.0, 2.0, 3.0});
  Tensor made = w * 2.0, of_leaf, of_made, of_both;
  {
    const NoGrad off;
    of_leaf = w.slice(0, 0, 1);
    of_made = made.slice(0, 0, 1);
    of_both = made.slice(0, 1, 3);
  }
  expect_error([&] { of_leaf.fill_(5); }, {"fill_", "view of a leaf", "NoGrad"});
  expect_error([&] { of_leaf.set({0}, 5); }, {"set", "view of a leaf", "NoGrad"});
  EXPECT_EQ(w.at({0}), 1);
  of_made.fill_(7);
  of_both.set({0}, 8);
  sum(made).backward();
  EXPECT_EQ(w.grad().to_vector(), (std::vector<double>{0, 0, 2}));
  EXPECT_TRUE(of_made.requires_grad());
}

/// Views that were made before the tensor became a leaf too.
TEST(InPlace, AViewMadeBeforeItsTensorRequiredAGradient) {
  Tensor w = tensor({1.0, 2.0});
  Tensor view = w.slice(0, 0, 1);
  w.requires_grad_();
  expect_error([&] { view.fill_(5); }, {"fill_", "view of a leaf"});
}

TEST(InPlace, AViewMayBeALeafOfItsOwn) {
  Tensor memory = tensor({{1.0, 2.0}, {3.0, 4.0}}, DType::float64);
  Tensor w = memory.transpose(0, 1).requires_grad_();
  expect_error([&] { w.select(0, 0).fill_(5); }, {"fill_", "view of a leaf"});
  EXPECT_TRUE(w.is_leaf() && !memory.requires_grad());
  sum(w * w).backward();
  EXPECT_EQ(w.grad().to_vector(), (std::vector<double>{2, 6, 4, 8}));
}

TEST(InPlace, WhatIsKeptOfAGradientStaysSo) {
  Tensor w = leaf({1.0, 2.0});
  Tensor y = w * 3.0;
  y.retain_grad();
  y.copy_(y * 2.0);
  sum(y).backward();
  EXPECT_EQ(w.grad().to_vector(), (std::vector<double>{6, 6}));
  ASSERT_TRUE(y.grad().defined());
  EXPECT_EQ(y.grad().to_vector(), (std::vector<double>{1, 1})) << "of what y is now, as in PyTorch";
}

/// A view of any kind of `tensor`, of rank 2.
Tensor draw_view(Sampler& sampler, const Tensor& tensor) {
  const std::int64_t axis = sampler.integer(0, 1), size = tensor.size(axis);
  switch (sampler.integer(0, 4)) {
    case 0:
      return tensor.transpose(0, 1);
    case 1:
      return tensor.slice(axis, sampler.integer(0, 1), size, sampler.integer(1, 2));
    case 2:
      return size == 0 ? tensor : tensor.select(axis, sampler.integer(0, size - 1)).unsqueeze(axis);
    case 3:
      return tensor.unsqueeze(1).squeeze(1);
    default:
      return tensor.view({tensor.size(0), tensor.size(1), 1}).squeeze(2);
  }
}

/// A program that makes views of tensors, and writes to both, the same each time.
Tensor run_program(unsigned seed, const std::vector<Tensor>& inputs) {
  Sampler sampler(seed);
  std::vector<Tensor> all = {inputs[0] * 2.0, inputs[1].clone(),
                             Tensor::zeros(inputs[0].shape(), DType::float64)};
  std::vector<Tensor> repeated;  // can't be written
  const auto any = [&] { return all[sampler.integer(0, static_cast<int>(all.size()) - 1)]; };
  const auto fitting = [&](const Shape& shape) {
    for (int tries = 0; tries < 8; ++tries) {
      const Tensor found = any();
      if (found.shape() == shape) return found;
    }
    return sum(any()) * Tensor::ones(shape, DType::float64);
  };
  for (int step = 0; step < 12; ++step) {
    Tensor target = any();
    switch (sampler.integer(0, 6)) {
      case 0:
      case 1:
        all.push_back(draw_view(sampler, target));
        break;
      case 2: {
        Tensor view = [&] {
          const NoGrad off;
          return draw_view(sampler, target);
        }();
        // Read now it would be a constant.
        all.push_back(view.copy_(fitting(view.shape()) * 0.75));
        break;
      }
      case 3:
        target.fill_(0.5);
        break;
      case 4:
        target.copy_(fitting(target.shape()) * 1.5);
        break;
      case 5:
        target.masked_fill_(sampler.dense(target.shape(), DType::boolean), 0.25);
        break;
      default:
        all.push_back(fitting(target.shape()) - target * 0.5);
    }
    if (step % 3 == 0) {
      const Tensor one = any().slice(sampler.integer(0, 1), 0, 1);
      repeated.push_back(one.unsqueeze(1).expand({one.size(0), 2, one.size(1)}).transpose(0, 1));
    }
    if (step % 4 == 3) all.push_back(tanh(any()) + 0.0);  // whose result none writes
  }
  Tensor total = Tensor::zeros({}, DType::float64);
  for (const Tensor& tensor : repeated) total = total * 0.9 + sum(tensor);
  for (std::size_t n = 0; n < all.size(); ++n)
    total = total + sum(all[n]) * (0.3 + 0.1 * static_cast<double>(n));
  return total;
}

TEST(InPlace, GradientsOfProgramsAreThoseOfDifferences) {
  for (unsigned seed = 0; seed < case_count(100); ++seed) {
    Sampler sampler(seed);
    const Shape shape = {sampler.integer(1, 3), sampler.integer(1, 3)};
    const std::vector<Tensor> inputs = {sampler.dense(shape, DType::float64) * 0.1,
                                        sampler.dense(shape, DType::float64) * 0.1};
    const GradientCheck check = check_gradients(
        [seed](const std::vector<Tensor>& given) { return run_program(seed, given); }, inputs);
    ASSERT_TRUE(check.agrees) << "seed " << seed << ": " << check.where;
  }
}

}  // namespace
}  // namespace foveal
