// mean, where, index_select, relu, gelu, log_softmax, cross_entropy and layer_norm: against one
// element at a time, and against numbers that PyTorch 2.15 gave.

#include <gtest/gtest.h>

#include <cmath>

#include "foveal/operations.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using samples::Sampler;
using Values = std::vector<double>;

void expect_near(const Tensor& ours, const Values& theirs) {
  const Values numbers = ours.to_vector();
  ASSERT_EQ(numbers.size(), theirs.size());
  for (std::size_t n = 0; n < theirs.size(); ++n) EXPECT_NEAR(numbers[n], theirs[n], 1e-13) << n;
}

TEST(Functions, NumbersOfPyTorch) {
  const Tensor x = tensor({{0.5, -1.25, 2.0}, {3.0, 3.0, 2.5}}, DType::float64);
  const Tensor weight = tensor({1.0, 0.5, -2.0}, DType::float64);
  const Tensor bias = tensor({0.1, 0.2, 0.3}, DType::float64);
  expect_near(layer_norm(x, weight, bias),
              {0.16274540265308407, -0.42745402653084025, -2.084325300817194, 0.8070431501662988,
               0.5535215750831495, 3.128172600665199});
  expect_near(layer_norm(x), {0.06274540265308406, -1.2549080530616805, 1.192162650408597,
                              0.7070431501662988, 0.7070431501662988, -1.4140863003325996});
  expect_near(layer_norm(x, weight, {}, 0.5),
              {0.05538487756217115, -0.5538487756217112, -2.1046253473625027, 0.22360679774997877,
               0.11180339887498938, 0.8944271909999163});
  expect_near(layer_norm(x, {}, bias) - layer_norm(x), {0.1, 0.2, 0.3, 0.1, 0.2, 0.3});
  expect_near(log_softmax(x, -1), {-1.7326219831020326, -3.4826219831020326, -0.23262198310203266,
                                   -0.9580200879470336, -0.9580200879470336, -1.4580200879470335});
  expect_near(log_softmax(x, 0),
              {-2.5788897342925496, -4.264163456931505, -0.9740769841801067, -0.07888973429254957,
               -0.014163456931505055, -0.4740769841801067});
  expect_near(cross_entropy(x, tensor({2, 0})), {0.5953210355245332});
  expect_near(cross_entropy(x, tensor({-100, 1})), {0.9580200879470336});
  expect_near(cross_entropy(x, tensor({1, 2}), 1), {1.4580200879470335});
  EXPECT_TRUE(std::isnan(cross_entropy(x, tensor({1, 1}), 1).item()));
  expect_near(gelu(x), {0.34573123063700656, -0.13206221708356905, 1.9544997361036416,
                        2.99595030590511, 2.99595030590511, 2.4844758366855597});
  expect_near(gelu(x, GeluForm::tanh),
              {0.34571400982514394, -0.13228579703028542, 1.954597694087775, 2.996362607918227,
               2.996362607918227, 2.484915733910001});
  expect_near(relu(x), {0.5, 0, 2, 3, 3, 2.5});
}

/// Rows of any layout and floating dtype: rounded from the float64 answer.
TEST(Functions, EveryLayoutAndDtypeGivesWhatFloat64Gives) {
  Sampler sampler(32);
  const std::vector<std::function<Tensor(const Tensor&)>> functions = {
      [](const Tensor& a) { return log_softmax(a, 1); },
      [](const Tensor& a) { return log_softmax(a, -1); },
      [](const Tensor& a) { return layer_norm(a); },
      [](const Tensor& a) { return gelu(a); },
      [](const Tensor& a) { return gelu(a, GeluForm::tanh); },
      [](const Tensor& a) { return relu(a); },
      [](const Tensor& a) { return tanh(a); },
      [](const Tensor& a) { return sqrt(abs(a)); },
      [](const Tensor& a) { return log(abs(a) + 1.0); },
      [](const Tensor& a) { return pow(abs(a), 1.5); },
      [](const Tensor& a) { return mean(a, 1); },
      [](const Tensor& a) { return mean(a, -1, true); },
  };
  for (int round = 0; round < 200; ++round) {
    const Tensor a = sampler.tensor(sampler.shape(3), samples::kFloating[round % 4]);
    if (a.element_count() == 0) continue;
    const double tolerance = a.dtype() == DType::float64   ? 1e-12
                             : a.dtype() == DType::float32 ? 1e-6
                             : a.dtype() == DType::float16 ? 1e-3
                                                           : 8e-3;
    for (const auto& function : functions) {
      const Tensor ours = function(a), wide = function(a.to(DType::float64).contiguous());
      ASSERT_EQ(ours.dtype(), a.dtype());
      ASSERT_TRUE(allclose(ours.to(DType::float64), wide, tolerance, tolerance))
          << &function - functions.data() << " of " << to_string(a.dtype()) << " "
          << to_string(a.shape()) << " " << to_string(a.strides());
    }
  }
}

TEST(Functions, MeansAreSumsOverCounts) {
  Sampler sampler(33);
  for (int round = 0; round < 100; ++round) {
    const Tensor a = sampler.tensor(sampler.shape(3), DType::float64);
    const std::int64_t axis = sampler.integer(-3, 2);
    const bool keepdim = round % 2 == 0;
    const Tensor ours = mean(a, axis, keepdim);
    const auto count = static_cast<double>(a.size(axis));
    ASSERT_EQ(ours.shape(), sum(a, axis, keepdim).shape());
    if (count == 0 || a.element_count() == 0) continue;
    ASSERT_TRUE(allclose(ours * count, sum(a, axis, keepdim)));
    ASSERT_NEAR(mean(a).item() * static_cast<double>(a.element_count()), sum(a).item(), 1e-12);
  }
  EXPECT_TRUE(std::isnan(mean(Tensor::zeros({0})).item()));
  EXPECT_TRUE(std::isnan(mean(Tensor::zeros({2, 0}), 1).at({1})));
  expect_error([] { mean(tensor({1, 2})); }, {"mean", "int64", "to(float32)"});
}

TEST(Functions, WhereChoosesElementByElement) {
  Sampler sampler(34);
  for (int round = 0; round < 300; ++round) {
    const Shape full = sampler.shape(3);
    const auto part = [&] {
      Shape shape(full.begin() + sampler.integer(0, 2), full.end());
      for (std::int64_t& size : shape) size = sampler.integer(0, 2) == 0 ? 1 : size;
      return shape;
    };
    const DType dtype = samples::kAll[round % 6];
    const Tensor condition = sampler.tensor(part(), DType::boolean);
    const Tensor a = sampler.tensor(part(), dtype), b = sampler.tensor(part(), dtype);
    const Tensor ours = where(condition, a, b);
    ASSERT_EQ(ours.dtype(), dtype);
    ASSERT_LE(ours.rank(), 3);
    for (const Shape& index : samples::indices(ours.shape())) {
      const Tensor& chosen = samples::at_broadcast(condition, index) != 0 ? a : b;
      ASSERT_EQ(ours.at(index), samples::at_broadcast(chosen, index));
    }
  }
}

TEST(Functions, IndexSelectTakesEntries) {
  Sampler sampler(35);
  for (int round = 0; round < 300; ++round) {
    const Tensor a = sampler.tensor(sampler.shape(sampler.integer(1, 3)), samples::kAll[round % 6]);
    const std::int64_t axis = sampler.integer(-a.rank(), a.rank() - 1);
    const std::int64_t along = axis < 0 ? axis + a.rank() : axis;
    std::vector<std::int64_t> ids;
    while (a.size(axis) > 0 && sampler.integer(0, 4) > 0) {
      ids.push_back(sampler.integer(0, a.size(axis) - 1));
    }
    const Tensor ours =
        index_select(a, axis, Tensor::from_vector(ids, {static_cast<std::int64_t>(ids.size())}));
    Shape shape = a.shape();
    shape[along] = static_cast<std::int64_t>(ids.size());
    ASSERT_EQ(ours.shape(), shape);
    ASSERT_TRUE(ours.is_contiguous());
    for (Shape index : samples::indices(shape)) {
      const double taken = ours.at(index);
      index[along] = ids[index[along]];
      ASSERT_EQ(taken, a.at(index));
    }
  }
  const Tensor a = Tensor::zeros({2, 3});
  expect_error([&] { index_select(a, 1, tensor({0, 3})); }, {"index_select", "(1)", "is 3"});
  expect_error([&] { index_select(a, 1, tensor({-1})); }, {"index_select", "is -1"});
  expect_error([&] { index_select(a, 2, tensor({0})); }, {"index_select", "axis 2"});
  expect_error([&] { index_select(a, 0, tensor({{0}})); }, {"index_select", "(1, 1)", "vector"});
}

}  // namespace
}  // namespace foveal
