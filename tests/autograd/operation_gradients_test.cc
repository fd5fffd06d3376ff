// Every operation of the case list: its gradient against central differences, and that neither
// strides nor the recording changes what it computes.

#include <gtest/gtest.h>

#include "case_count.h"
#include "foveal/foveal.h"
#include "operation_cases.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using operation_cases::Holds;
using operation_cases::Input;
using operation_cases::OperationCase;
using samples::Sampler;

/// No two near one another, none near 0: every corner is further away than a difference goes.
double number(Sampler& sampler, Holds holds, std::int64_t n) {
  const double far = 0.05 + 0.001 * static_cast<double>(n % 37) +
                     0.1 * static_cast<double>(sampler.integer(0, 18));
  if (holds == Holds::positive) return 0.5 + far;
  return sampler.integer(0, 1) == 0 ? far : -far;
}

/// Memory of any layout that holds what `input` asks for.
Tensor draw(Sampler& sampler, const Input& input) {
  if (input.holds == Holds::flags) return sampler.tensor(input.shape, DType::boolean);
  if (input.holds == Holds::small_ids) {
    std::vector<std::int64_t> ids;
    for (std::int64_t n = 0; n < element_count(input.shape); ++n) {
      ids.push_back(sampler.integer(0, 2));
    }
    return Tensor::from_vector(ids, input.shape);
  }
  std::vector<double> values;
  for (std::int64_t n = 0; n < element_count(input.shape); ++n) {
    values.push_back(number(sampler, input.holds, n));
  }
  const Tensor dense = Tensor::from_vector(values, input.shape);
  Tensor laid = sampler.tensor(input.shape, DType::float64);
  for (std::int64_t axis = 0; axis < laid.rank(); ++axis) {
    if (laid.strides()[axis] == 0) return dense;
  }
  return laid.copy_(dense);
}

std::vector<Tensor> draw_inputs(Sampler& sampler, const OperationCase& operation) {
  const std::int64_t lowest = operation.takes_empty && sampler.integer(0, 7) == 0 ? 0 : 1;
  const auto size = [&] { return std::max(lowest, sampler.integer(lowest, 4)); };
  const std::int64_t b = size(), m = size(), n = size(), k = size();
  std::vector<Tensor> tensors;
  for (const Input& input : operation.inputs(b, m, n, k)) tensors.push_back(draw(sampler, input));
  return tensors;
}

std::string shapes_of(const std::vector<Tensor>& tensors) {
  std::string text;
  for (const Tensor& tensor : tensors) {
    text += to_string(tensor.shape()) + " " + to_string(tensor.strides()) + " ";
  }
  return text;
}

TEST(OperationGradients, AreThoseOfDifferences) {
  Sampler sampler(1);
  for (const OperationCase& operation : operation_cases::all()) {
    if (!operation.has_gradient) continue;
    for (unsigned n = 0; n < case_count(5); ++n) {
      const std::vector<Tensor> inputs = draw_inputs(sampler, operation);
      const GradientCheck check = check_gradients(operation.run, inputs);
      ASSERT_TRUE(check.agrees) << operation.name << " of " << shapes_of(inputs) << ": "
                                << check.where;
    }
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         (a.dtype() == DType::boolean ? equal(a, b) : allclose(a, b, 0, 0));
}

TEST(OperationGradients, RecordingChangesNoResult) {
  Sampler sampler(2);
  for (const OperationCase& operation : operation_cases::all()) {
    for (const DType dtype : samples::kFloating) {
      std::vector<Tensor> inputs, leaves;
      for (const Tensor& input : draw_inputs(sampler, operation)) {
        inputs.push_back(is_floating(input.dtype()) ? input.to(dtype) : input);
        leaves.push_back(inputs.back().detach());
        if (is_floating(input.dtype())) leaves.back().requires_grad_();
      }
      const Tensor plain = operation.run(inputs), recorded = operation.run(leaves);
      EXPECT_FALSE(plain.requires_grad()) << operation.name;
      EXPECT_EQ(recorded.requires_grad(), operation.has_gradient) << operation.name;
      EXPECT_TRUE(same_bits(plain, recorded.detach())) << operation.name << " " << to_string(dtype);
      const NoGrad off;
      EXPECT_FALSE(operation.run(leaves).requires_grad()) << operation.name;
    }
  }
}

/// Gradients of 16-bit and float32 tensors are those of float64, but for their rounding.
TEST(OperationGradients, OfEachDtypeAreThoseOfFloat64) {
  Sampler sampler(3);
  for (const OperationCase& operation : operation_cases::all()) {
    if (!operation.has_gradient) continue;
    const std::vector<Tensor> inputs = draw_inputs(sampler, operation);
    for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16}) {
      const auto grads = [&](DType type) {
        std::vector<Tensor> leaves;
        for (const Tensor& input : inputs) {
          if (!is_floating(input.dtype())) {
            leaves.push_back(input);
            continue;
          }
          leaves.push_back(input.to(dtype).to(type).clone().requires_grad_());
        }
        sum(operation.run(leaves)).backward();
        return leaves;
      };
      const std::vector<Tensor> narrow = grads(dtype), wide = grads(DType::float64);
      const double tolerance = dtype == DType::float32   ? 1e-4
                               : dtype == DType::float16 ? 0.02
                                                         : 0.1;
      for (std::size_t n = 0; n < inputs.size(); ++n) {
        if (!is_floating(inputs[n].dtype())) continue;
        ASSERT_EQ(narrow[n].grad().defined(), wide[n].grad().defined()) << operation.name;
        if (!narrow[n].grad().defined()) continue;
        ASSERT_EQ(narrow[n].grad().dtype(), dtype) << operation.name;
        ASSERT_EQ(narrow[n].grad().shape(), inputs[n].shape()) << operation.name;
        const Tensor theirs = wide[n].grad();
        const double largest = theirs.element_count() == 0
                                   ? 0
                                   : max(abs(theirs).reshape({theirs.element_count()}), 0).item();
        EXPECT_TRUE(allclose(narrow[n].grad().to(DType::float64), theirs, tolerance,
                             tolerance * std::max(1.0, largest)))
            << operation.name << " " << to_string(dtype);
      }
    }
  }
}

}  // namespace
}  // namespace foveal
