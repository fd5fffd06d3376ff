// sum, max and softmax, against one line at a time.

#include <gtest/gtest.h>

#include <algorithm>
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

/// The entries of `a` along `axis` that share the other indices with `index`.
Values line_of(const Tensor& a, Shape index, std::int64_t axis) {
  Values line;
  for (std::int64_t i = 0; i < a.shape()[axis]; ++i) {
    index[axis] = i;
    line.push_back(a.at(index));
  }
  return line;
}

double total(const Values& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

TEST(Reduce, SumAndMaxOverEveryLayout) {
  Sampler sampler(18);
  for (int round = 0; round < 500; ++round) {
    const DType dtype = samples::kAll[round % 6];
    const std::int64_t rank = sampler.integer(1, 4);
    const Tensor a = sampler.tensor(sampler.shape(rank), dtype);
    const std::int64_t axis = sampler.integer(0, rank - 1);
    const Tensor sums = sum(a, axis - rank, true);
    ASSERT_EQ(sums.dtype(), dtype == DType::boolean ? DType::int64 : dtype);
    ASSERT_TRUE(equal(sum(a, axis), sums.squeeze(axis)));
    for (const Shape& index : samples::indices(sums.shape())) {
      ASSERT_EQ(sums.at(index), total(line_of(a, index, axis)));
    }
    ASSERT_EQ(sum(a).item(), total(a.to_vector()));
    if (a.size(axis) == 0) continue;
    const Tensor maxima = max(a, axis, true);
    ASSERT_EQ(maxima.dtype(), dtype);
    ASSERT_TRUE(equal(max(a, axis - rank), maxima.squeeze(axis)));
    for (const Shape& index : samples::indices(maxima.shape())) {
      const Values line = line_of(a, index, axis);
      ASSERT_EQ(maxima.at(index), *std::max_element(line.begin(), line.end()));
    }
  }
}

TEST(Reduce, SumAccumulatesInFloat64) {
  EXPECT_EQ(sum(tensor({0x1p30, 1, -0x1p30}, DType::float32)).item(), 1);
  EXPECT_EQ(sum(tensor({0x1p30, 1, -0x1p30}, DType::bfloat16), 0).item(), 1);
  EXPECT_EQ(sum(Tensor::full({4096}, 16, DType::float16)).item(), kInfinity);
  EXPECT_EQ(sum(Tensor::full({4095}, 0.1, DType::float32)).item(),
            static_cast<float>(4095 * static_cast<double>(0.1F)));
}

TEST(Reduce, EmptyAxes) {
  EXPECT_EQ(sum(Tensor::zeros({2, 0}), 1).to_vector(), (Values{0, 0}));
  EXPECT_EQ(sum(Tensor::zeros({0, 3}), 1).shape(), Shape{0});
  EXPECT_EQ(sum(Tensor::zeros({0})).item(), 0);
  EXPECT_EQ(max(Tensor::zeros({0, 3}), 1).shape(), Shape{0});
  expect_error([] { max(Tensor::zeros({2, 0}), 1); }, {"max", "(2, 0)", "axis 1", "empty"});
}

TEST(Reduce, MaxKeepsNaN) {
  for (const DType dtype : samples::kFloating) {
    for (const Values& line : {Values{kNaN, 1, 2}, Values{1, kNaN, 2}, Values{1, 2, kNaN}}) {
      EXPECT_TRUE(std::isnan(max(Tensor::from_vector(line, {3}).to(dtype), 0).item()));
    }
  }
  EXPECT_EQ(max(tensor({-kInfinity, -kInfinity}), 0).item(), -kInfinity);
}

TEST(Reduce, WrongArgumentsThrow) {
  const Tensor a = Tensor::zeros({2, 3}), nothing;
  expect_error([&] { sum(a, 2); }, {"sum", "axis 2", "-2 to 1"});
  expect_error([&] { max(a, -3); }, {"max", "axis -3"});
  expect_error([&] { softmax(a, 2); }, {"softmax", "axis 2"});
  expect_error([&] { sum(nothing); }, {"sum", "a is undefined"});
  expect_error([&] { sum(nothing, 0); }, {"sum", "a is undefined"});
  expect_error([&] { max(nothing, 0); }, {"max", "a is undefined"});
  expect_error([&] { softmax(nothing, 0); }, {"softmax", "a is undefined"});
  expect_error([] { softmax(tensor({1, 2}), 0); }, {"softmax", "int64", "to(float32)"});
  expect_error([] { sum(Tensor::full({2}, 0x1p62, DType::int64)); }, {"sum", "outside int64"});
}

TEST(Softmax, IsTheDefinitionAlongAnyAxis) {
  Sampler sampler(19);
  for (int round = 0; round < 400; ++round) {
    const DType dtype = samples::kFloating[round % 4];
    const std::int64_t rank = sampler.integer(1, 4);
    const Tensor a = sampler.tensor(sampler.shape(rank), dtype);
    const std::int64_t axis = sampler.integer(0, rank - 1);
    const Tensor result = softmax(a, axis);
    ASSERT_EQ(result.dtype(), dtype);
    ASSERT_TRUE(equal(result, softmax(a, axis - rank)));
    // One unit in the last place, by the dtype's precision.
    const double ulp = dtype == DType::float64    ? 0x1p-51
                       : dtype == DType::float32  ? 0x1p-23
                       : dtype == DType::bfloat16 ? 0x1p-7
                                                  : 0x1p-10;
    for (const Shape& index : samples::indices(a.shape())) {
      double sum_of_exp = 0;
      for (const double value : line_of(a, index, axis)) sum_of_exp += std::exp(value);
      const double expected = std::exp(a.at(index)) / sum_of_exp;
      ASSERT_NEAR(result.at(index), expected, ulp * expected + 0x1p-24);
    }
  }
}

TEST(Softmax, Float32AndHalfAreTheRoundedFloat64Result) {
  Sampler sampler(20);
  for (const std::int64_t size : samples::kEdgeSizes) {
    for (const DType dtype : samples::kFloating) {
      const Tensor a = sampler.tensor({size, size}, dtype);
      EXPECT_TRUE(equal(softmax(a, 1), softmax(a.to(DType::float64), 1).to(dtype)));
    }
  }
}

TEST(Softmax, LargeNumbersDoNotOverflow) {
  const Tensor large = softmax(tensor({1000.0, 999.0, -1000.0}), 0);
  EXPECT_NEAR(large.at({0}), 1 / (1 + std::exp(-1)), 1e-7);
  EXPECT_EQ(large.at({2}), 0);
}

TEST(Softmax, InfinityAndNaN) {
  const Tensor masked = softmax(tensor({{-kInfinity, 0.0}, {-kInfinity, -kInfinity}}), 1);
  EXPECT_EQ(masked[0].to_vector(), (Values{0, 1}));
  EXPECT_TRUE(std::isnan(masked.at({1, 0})) && std::isnan(masked.at({1, 1})));
  for (const Values& line : {Values{kNaN, 1, 2}, Values{1, kNaN, 2}, Values{1, 2, kInfinity}}) {
    const Tensor result = softmax(Tensor::from_vector(line, {3}), 0);
    EXPECT_TRUE(std::isnan(sum(result).item()));
  }
  // A NaN stays in its own line.
  const Tensor rows = softmax(tensor({{kNaN, 1.0}, {0.0, 0.0}}), 1);
  EXPECT_EQ(rows[1].to_vector(), (Values{0.5, 0.5}));
}

TEST(Softmax, EmptyTensors) {
  EXPECT_EQ(softmax(Tensor::zeros({2, 0}), 1).shape(), (Shape{2, 0}));
  EXPECT_EQ(softmax(Tensor::zeros({0, 2}), 1).shape(), (Shape{0, 2}));
}

}  // namespace
}  // namespace foveal
