#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "foveal/operations.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using samples::Sampler;
using Values = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Comparison {
  Tensor (*tensors)(const Tensor&, const Tensor&);
  Tensor (*scalar)(const Tensor&, double);
  std::function<bool(double, double)> holds;
};

const std::vector<Comparison>& comparisons() {
  static const std::vector<Comparison> all = {
      {eq, eq, std::equal_to<>()}, {ne, ne, std::not_equal_to<>()},
      {lt, lt, std::less<>()},     {le, le, std::less_equal<>()},
      {gt, gt, std::greater<>()},  {ge, ge, std::greater_equal<>()},
  };
  return all;
}

TEST(Comparison, BroadcastsOverEveryLayout) {
  Sampler sampler(11);
  for (int round = 0; round < 200; ++round) {
    const DType dtype = samples::kAll[round % 6];
    const Tensor a = sampler.tensor(sampler.shape(2), dtype);
    const Tensor b = sampler.tensor({a.size(0), 1}, dtype);
    for (const Comparison& comparison : comparisons()) {
      const Tensor result = comparison.tensors(a, b);
      const Tensor with_one = comparison.scalar(a, 1);
      ASSERT_EQ(result.dtype(), DType::boolean);
      for (const Shape& i : samples::indices(a.shape())) {
        ASSERT_EQ(result.at(i) != 0, comparison.holds(a.at(i), samples::at_broadcast(b, i)));
        ASSERT_EQ(with_one.at(i) != 0, comparison.holds(a.at(i), 1));
      }
    }
  }
}

TEST(Comparison, NothingButNeHoldsForNaN) {
  for (const DType dtype : samples::kFloating) {
    const Tensor nan = tensor({kNaN}, dtype);
    for (const Comparison& comparison : comparisons()) {
      const bool expected = comparison.holds(kNaN, kNaN);
      EXPECT_EQ(comparison.tensors(nan, nan).item() != 0, expected);
      EXPECT_EQ(comparison.scalar(nan, 1).item() != 0, comparison.holds(kNaN, 1));
    }
  }
  EXPECT_EQ(eq(tensor({0.0}), tensor({-0.0})).item(), 1);
  EXPECT_EQ(eq(tensor({0.1}), 0.1).item(), 1);
  EXPECT_EQ(eq(tensor({-kInfinity}), -kInfinity).item(), 1);
}

TEST(Comparison, LogicalNot) {
  Sampler sampler(12);
  const Tensor a = sampler.tensor({3, 4}, DType::boolean);
  const Tensor b = logical_not(a);
  for (const Shape& i : samples::indices(a.shape())) EXPECT_EQ(b.at(i), 1 - a.at(i));
  expect_error([] { logical_not(tensor({1})); }, {"logical_not", "int64", "bool"});
}

TEST(Comparison, EqualNeedsShapeDtypeAndValues) {
  const Tensor a = Tensor::arange(6).view({2, 3});
  EXPECT_TRUE(equal(a, a.transpose(0, 1).contiguous().transpose(0, 1)));
  EXPECT_FALSE(equal(a, a.view({3, 2})));
  EXPECT_FALSE(equal(a, a.to(DType::float32)));
  Tensor b = a.clone();
  b.set({1, 2}, 0);
  EXPECT_FALSE(equal(a, b));
  EXPECT_FALSE(equal(tensor({kNaN}), tensor({kNaN})));
  EXPECT_TRUE(equal(tensor({0.0}).to(DType::float16), tensor({-0.0}).to(DType::float16)));
  EXPECT_TRUE(equal(Tensor::zeros({0, 2}), Tensor::ones({0, 2})));
}

TEST(Comparison, AllcloseMeasuresAgainstB) {
  const Tensor a = tensor({100.0, 1.0}, DType::float64), b = tensor({101.0, 1.0}, DType::float64);
  EXPECT_FALSE(allclose(a, b));
  EXPECT_TRUE(allclose(a, b, 0.0099010));
  EXPECT_FALSE(allclose(b, a, 0.0099010));
  EXPECT_TRUE(allclose(a, b, 0, 1));
  EXPECT_FALSE(allclose(a, b, 0, 0.999));
  EXPECT_TRUE(allclose(tensor({kInfinity}), tensor({kInfinity})));
  EXPECT_FALSE(allclose(tensor({kInfinity}), tensor({-kInfinity})));
  EXPECT_FALSE(allclose(tensor({1.0}), tensor({kInfinity})));
  EXPECT_FALSE(allclose(tensor({kNaN}), tensor({kNaN})));
  EXPECT_TRUE(allclose(Tensor::zeros({0}), Tensor::zeros({0})));
}

TEST(Comparison, WrongArgumentsThrow) {
  const Tensor a = Tensor::zeros({2, 3}), nothing;
  expect_error([&] { lt(a, Tensor::zeros({4})); }, {"lt", "a and b", "(2, 3)", "(4)"});
  expect_error([&] { eq(a, tensor({1})); }, {"eq", "float32", "int64"});
  expect_error([&] { ge(a, nothing); }, {"ge", "b is undefined"});
  expect_error([&] { gt(nothing, 1); }, {"gt", "a is undefined"});
  expect_error([] { le(tensor({1}), 0.5); }, {"le", "0.5", "int64"});
  expect_error([] { eq(tensor({true}), 2); }, {"eq", "bool", "0 or 1"});
  expect_error([&] { equal(a, nothing); }, {"equal", "b is undefined"});
  expect_error([&] { logical_not(nothing); }, {"logical_not", "a is undefined"});
  expect_error([&] { allclose(nothing, a); }, {"allclose", "a is undefined"});
  expect_error([&] { allclose(a, a[0]); }, {"allclose", "(2, 3)", "(3)"});
  expect_error([&] { allclose(a, a.to(DType::float64)); }, {"allclose", "float32", "float64"});
  expect_error([&] { allclose(a, a, -1); }, {"allclose", "rtol"});
}

}  // namespace
}  // namespace foveal
