// + - * /, minus, exp, abs, against one element at a time.

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

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

/// One shape and another that broadcasts with it.
std::pair<Shape, Shape> broadcasting_shapes(Sampler& sampler) {
  Shape a = sampler.shape(sampler.integer(0, 4));
  Shape b(a.begin() + sampler.integer(0, static_cast<std::int64_t>(a.size())), a.end());
  for (std::int64_t& size : b) {
    if (sampler.integer(0, 2) == 0) size = 1;
  }
  return sampler.integer(0, 1) == 0 ? std::pair(a, b) : std::pair(b, a);
}

/// `result` holds function(a, b) at each place, rounded to its dtype.
void expect_elementwise(const Tensor& result, const Tensor& a, const Tensor& b,
                        const std::function<double(double, double)>& function) {
  ASSERT_EQ(result.dtype(), a.dtype());
  ASSERT_EQ(result.shape(), broadcast_shapes(a.shape(), b.shape(), "test"));
  for (const Shape& index : samples::indices(result.shape())) {
    const double expected =
        function(samples::at_broadcast(a, index), samples::at_broadcast(b, index));
    ASSERT_EQ(result.at(index), Tensor::full({}, expected, a.dtype()).item());
  }
}

TEST(Arithmetic, BroadcastsOverEveryLayout) {
  Sampler sampler(8);
  for (int round = 0; round < 500; ++round) {
    const auto [shape_a, shape_b] = broadcasting_shapes(sampler);
    const DType dtype = samples::kNumbers[round % 5];
    const Tensor a = sampler.tensor(shape_a, dtype), b = sampler.tensor(shape_b, dtype);
    expect_elementwise(a + b, a, b, std::plus<>());
    expect_elementwise(a - b, a, b, std::minus<>());
    expect_elementwise(a * b, a, b, std::multiplies<>());
    if (dtype == DType::int64) continue;
    // Twice a number and one: never 0.
    const Tensor odd = b * 2.0 + 1.0;
    expect_elementwise(a / odd, a, odd, std::divides<>());
  }
}

TEST(Arithmetic, EdgeSizes) {
  Sampler sampler(9);
  for (const std::int64_t size : samples::kEdgeSizes) {
    for (const DType dtype : samples::kNumbers) {
      const Tensor a = sampler.dense({3, size}, dtype), row = sampler.dense({size}, dtype);
      const Tensor column = sampler.dense({3, 1}, dtype);
      expect_elementwise(a + row, a, row, std::plus<>());
      expect_elementwise(a * column, a, column, std::multiplies<>());
      expect_elementwise(column - row, column, row, std::minus<>());
    }
  }
}

TEST(Arithmetic, ScalarsTakeTheDtype) {
  const Tensor x = tensor({1, 2, 4}, DType::float32);
  EXPECT_EQ((x + 1).to_vector(), (Values{2, 3, 5}));
  EXPECT_EQ((1 - x).to_vector(), (Values{0, -1, -3}));
  EXPECT_EQ((8 / x).to_vector(), (Values{8, 4, 2}));
  EXPECT_EQ((x / 2).to_vector(), (Values{0.5, 1, 2}));
  EXPECT_EQ((x * 0.1).at({0}), 0.1F);
  EXPECT_EQ((2 * tensor({1, 2})).dtype(), DType::int64);
  EXPECT_EQ((tensor({1, 2}) - 3).to_vector(), (Values{-2, -1}));
  EXPECT_EQ((Tensor::zeros({0, 2}) + 1.0).shape(), (Shape{0, 2}));
  expect_error([] { tensor({1, 2}) * 0.5; }, {"multiply", "0.5", "int64", "to(float32)"});
  expect_error([] { 0.5 + tensor({1, 2}); }, {"add", "0.5", "int64"});
}

TEST(Arithmetic, HalfPrecisionRoundsOnce) {
  const Tensor one = tensor({1}, DType::bfloat16);
  const auto plus_one = [&one](double value) {
    return (one + tensor({value}, DType::bfloat16)).item();
  };
  EXPECT_EQ(plus_one(0x1p-8), 1);  // a tie: to even
  EXPECT_EQ(plus_one(0x1.02p-8), 1 + 0x1p-7);
  EXPECT_EQ(plus_one(0x1.8p-7), 1 + 0x1p-6);
  EXPECT_EQ((tensor({300}, DType::float16) * tensor({300}, DType::float16)).item(),
            std::numeric_limits<double>::infinity());
}

TEST(Arithmetic, FloatsFollowIeee) {
  const Tensor zero = tensor({0.0, -0.0}, DType::float64);
  const Values quotient = (1.0 / zero).to_vector();
  EXPECT_EQ(quotient[0], std::numeric_limits<double>::infinity());
  EXPECT_EQ(quotient[1], -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan((zero / zero).at({0})));
}

TEST(Arithmetic, Int64NeverWraps) {
  const Tensor big = Tensor::from_vector(std::vector<std::int64_t>{kMax}, {1});
  const Tensor small = Tensor::from_vector(std::vector<std::int64_t>{kMin}, {1});
  const Tensor one = tensor({1});
  EXPECT_EQ(*(big - one).data<std::int64_t>(), kMax - 1);
  expect_error([&] { big + one; }, {"add", "outside int64", "to(float64)"});
  expect_error([&] { small - one; }, {"subtract", "outside int64"});
  expect_error([&] { big* big; }, {"multiply", "outside int64"});
  expect_error([&] { -small; }, {"negate", "outside int64"});
  expect_error([&] { abs(small); }, {"abs", "outside int64"});
}

TEST(Arithmetic, WrongArgumentsThrow) {
  const Tensor a = Tensor::zeros({2, 3}), b = Tensor::zeros({4});
  const Tensor d = Tensor::zeros({2, 3}, DType::float64);
  const Tensor whole = tensor({1}), flag = tensor({true});
  const Tensor nothing;
  expect_error([&] { a + b; }, {"add", "a and b", "(2, 3)", "(4)"});
  expect_error([&] { a* d; }, {"multiply", "a has dtype float32", "b has dtype float64", "to("});
  expect_error([&] { a - whole; }, {"subtract", "float32", "int64"});
  expect_error([&] { whole / whole; }, {"divide", "int64", "to(float32)"});
  expect_error([&] { flag + flag; }, {"add", "bool", "to("});
  expect_error([&] { flag * 2.0; }, {"multiply", "bool"});
  expect_error([&] { 1.0 - flag; }, {"subtract", "b has dtype bool"});
  expect_error([&] { -flag; }, {"negate", "bool"});
  expect_error([&] { a + nothing; }, {"add", "b is undefined"});
  expect_error([&] { nothing - a; }, {"subtract", "a is undefined"});
  expect_error([&] { nothing * 2.0; }, {"multiply", "a is undefined"});
  expect_error([&] { 2.0 / nothing; }, {"divide", "b is undefined"});
  expect_error([&] { -nothing; }, {"negate", "a is undefined"});
  expect_error([&] { exp(nothing); }, {"exp", "a is undefined"});
  expect_error([&] { abs(nothing); }, {"abs", "a is undefined"});
  expect_error([&] { exp(whole); }, {"exp", "int64", "floating"});
}

TEST(Arithmetic, UnaryOverEveryLayout) {
  Sampler sampler(10);
  for (int round = 0; round < 200; ++round) {
    const DType dtype = samples::kNumbers[round % 5];
    const Tensor a = sampler.tensor(sampler.shape(sampler.integer(0, 3)), dtype);
    const Tensor negated = -a, magnitude = abs(a);
    for (const Shape& index : samples::indices(a.shape())) {
      ASSERT_EQ(negated.at(index), -a.at(index));
      ASSERT_EQ(magnitude.at(index), std::abs(a.at(index)));
    }
    if (dtype == DType::int64) continue;
    const Tensor e = exp(a);
    for (const Shape& index : samples::indices(a.shape())) {
      const double expected = Tensor::full({}, std::exp(a.at(index)), dtype).item();
      const double error = dtype == DType::float64 ? 0x1p-51 * expected : 0;
      ASSERT_NEAR(e.at(index), expected, error);
    }
  }
  EXPECT_EQ(exp(tensor({-std::numeric_limits<double>::infinity()})).item(), 0);
  EXPECT_TRUE(std::signbit((-tensor({0.0})).item()));
}

}  // namespace
}  // namespace foveal
