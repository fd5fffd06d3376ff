// matmul, dot and linear against sums of products written out.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "foveal/operations.h"
#include "foveal/threads.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using samples::Sampler;
using Values = std::vector<double>;

/// matmul's definition, for tensors of two axes or more.
void expect_product(const Tensor& out, const Tensor& a, const Tensor& b) {
  ASSERT_EQ(out.dtype(), a.dtype());
  for (const Shape& index : samples::indices(out.shape())) {
    Shape at_a = index, at_b = index;
    double sum = 0;
    for (std::int64_t k = 0; k < a.size(-1); ++k) {
      at_a[index.size() - 1] = k;
      at_b[index.size() - 2] = k;
      // An inner size of 1 is no broadcast; at_broadcast reads its only entry all the same.
      sum += samples::at_broadcast(a, at_a) * samples::at_broadcast(b, at_b);
    }
    ASSERT_EQ(out.at(index), Tensor::full({}, sum, a.dtype()).item());
  }
}

TEST(Matmul, BroadcastsBatchesOverEveryLayout) {
  Sampler sampler(13);
  for (int round = 0; round < 600; ++round) {
    const DType dtype = samples::kNumbers[round % 5];
    Shape batch = sampler.shape(sampler.integer(0, 2));
    Shape shape_a = batch;
    Shape shape_b(batch.begin() + sampler.integer(0, static_cast<std::int64_t>(batch.size())),
                  batch.end());
    for (std::int64_t& size : shape_a) {
      if (sampler.integer(0, 3) == 0) size = 1;
    }
    for (std::int64_t& size : shape_b) {
      if (sampler.integer(0, 3) == 0) size = 1;
    }
    const Shape sizes = sampler.shape(3);
    shape_a.insert(shape_a.end(), {sizes[0], sizes[1]});
    shape_b.insert(shape_b.end(), {sizes[1], sizes[2]});
    const Tensor a = sampler.tensor(shape_a, dtype), b = sampler.tensor(shape_b, dtype);
    expect_product(matmul(a, b), a, b);
    // And with the shorter one on the left.
    const Tensor a_t = a.transpose(-1, -2), b_t = b.transpose(-1, -2);
    expect_product(matmul(b_t, a_t), b_t, a_t);
  }
}

TEST(Matmul, EdgeSizes) {
  Sampler sampler(14);
  for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{7}, std::int64_t{17}}) {
    for (const std::int64_t inner : samples::kEdgeSizes) {
      for (const std::int64_t columns : samples::kEdgeSizes) {
        const Tensor a = sampler.dense({rows, inner}, DType::float32);
        const Tensor b = sampler.dense({inner, columns}, DType::float32);
        expect_product(matmul(a, b), a, b);
      }
    }
  }
}

TEST(Matmul, WiderThanABlockOfColumns) {
  Sampler sampler(15);
  for (const std::int64_t inner : {0, 1, 3, 6}) {
    const Tensor a = sampler.dense({3, inner}, DType::float32);
    const Tensor b = sampler.dense({inner, 1100}, DType::float32);
    expect_product(matmul(a, b), a, b);
  }
}

TEST(Matmul, VectorsAreRowsOnTheLeftAndColumnsOnTheRight) {
  const Tensor m = tensor({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(matmul(m, tensor({1, 0, 2})).to_vector(), (Values{7, 16}));
  EXPECT_EQ(matmul(tensor({1, 2}), m).to_vector(), (Values{9, 12, 15}));
  const Tensor inner = matmul(tensor({1, 2, 3}), tensor({4, 5, 6}));
  EXPECT_EQ(inner.shape(), Shape{});
  EXPECT_EQ(inner.item(), 32);
  EXPECT_EQ(matmul(m.unsqueeze(0).expand({4, 2, 3}), tensor({1, 0, 2})).shape(), (Shape{4, 2}));
  EXPECT_EQ(matmul(tensor({1, 2}), m.unsqueeze(0).expand({4, 2, 3})).shape(), (Shape{4, 3}));
}

TEST(Matmul, EmptySizes) {
  EXPECT_EQ(matmul(Tensor::zeros({0, 3}), Tensor::zeros({3, 2})).shape(), (Shape{0, 2}));
  EXPECT_EQ(matmul(Tensor::ones({2, 0}), Tensor::ones({0, 2})).to_vector(), (Values{0, 0, 0, 0}));
  EXPECT_EQ(matmul(Tensor::ones({0, 2, 3}), Tensor::ones({3, 1})).shape(), (Shape{0, 2, 1}));
  EXPECT_EQ(dot(Tensor::ones({0}), Tensor::ones({0})).item(), 0);
}

TEST(Matmul, HalfTypesAccumulateInFloat32AndRoundOnce) {
  // In bfloat16 the 1 would be lost beside 2^8.
  const Tensor a = tensor({0x1p10, 1, -0x1p10}, DType::bfloat16);
  EXPECT_EQ(dot(a, Tensor::ones({3}, DType::bfloat16)).item(), 1);
  EXPECT_EQ(
      dot(tensor({60000.0, 60000.0, -60000.0}, DType::float16), Tensor::ones({3}, DType::float16))
          .item(),
      tensor({60000.0}, DType::float16).item());
}

TEST(Matmul, Float32IsWithinTheRoundingOfItsSums) {
  std::mt19937 engine(16);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(37 * 1290));
  for (float& value : values) value = normal(engine);
  const Tensor a = Tensor::from_vector(values, {37, 1290});
  const Tensor wide = a.to(DType::float64);
  const Tensor exact = matmul(wide, wide.transpose(0, 1));
  const Tensor bound = matmul(abs(wide), abs(wide).transpose(0, 1)) * (1290 * 0x1p-24);
  const Tensor error = abs(matmul(a, a.transpose(0, 1)).to(DType::float64) - exact);
  EXPECT_TRUE(equal(le(error, bound), Tensor::ones({37, 37}, DType::boolean)));
}

TEST(Matmul, SameBitsForAnyNumberOfThreads) {
  Sampler sampler(17);
  const Tensor a = sampler.dense({300, 600}, DType::float32);
  const Tensor b = sampler.dense({600, 70}, DType::float32);
  const int before = num_threads();
  set_num_threads(1);
  const Tensor one = matmul(a, b);
  for (int threads : {2, 3, 8}) {
    set_num_threads(threads);
    EXPECT_TRUE(equal(matmul(a, b), one)) << threads;
  }
  set_num_threads(before);
}

TEST(Matmul, InfinityAndNaNGoThrough) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor a = tensor({{0.0, 1.0}}), b = tensor({{infinity, 2.0}, {3.0, infinity}});
  const Tensor product = matmul(a, b);
  EXPECT_TRUE(std::isnan(product.at({0, 0})));
  EXPECT_EQ(product.at({0, 1}), infinity);
}

TEST(Matmul, Int64NeverWraps) {
  const Tensor big = Tensor::full({2}, 0x1p62, DType::int64);
  expect_error([&] { dot(big, tensor({1, 1})); }, {"outside int64", "to(float64)"});
  expect_error([&] { dot(big, tensor({4, 0})); }, {"outside int64"});
  EXPECT_EQ(dot(big, tensor({1, -1})).item(), 0);
}

TEST(Matmul, WrongArgumentsThrow) {
  const Tensor a = Tensor::zeros({2, 3}), nothing;
  expect_error([&] { matmul(a, a); },
               {"matmul", "a has shape (2, 3)", "b has shape (2, 3)", "(3)", "(2)", "transpose"});
  expect_error([&] { matmul(a, tensor({1.0, 2.0})); }, {"matmul", "b has shape (2)"});
  expect_error([&] { matmul(a, tensor(1.0)); }, {"matmul", "b has shape ()", "scalar"});
  expect_error([&] { matmul(Tensor::zeros({2, 1, 3}), Tensor::zeros({3, 3, 1})); },
               {"matmul", "(2, 1, 3)", "(3, 3, 1)", "leading axes"});
  expect_error([&] { matmul(a, a.to(DType::float64)); },
               {"matmul", "a has dtype float32", "b has dtype float64"});
  expect_error([] { matmul(tensor({true}), tensor({true})); }, {"matmul", "bool", "to(float32)"});
  expect_error([&] { matmul(a, nothing); }, {"matmul", "b is undefined"});
  expect_error([&] { dot(nothing, a); }, {"dot", "a is undefined"});
  expect_error([&] { dot(a, a); }, {"dot", "(2, 3)", "vectors"});
  expect_error([] { dot(tensor({1}), tensor({1, 2})); }, {"dot", "(1)", "(2)"});
}

TEST(Linear, IsTheProductWithTheTransposeAndTheBias) {
  Sampler sampler(17);
  for (int round = 0; round < 200; ++round) {
    const DType dtype = samples::kFloating[round % 4];
    Shape shape = sampler.shape(sampler.integer(0, 2));
    const std::int64_t d_in = sampler.integer(0, 9), d_out = sampler.integer(0, 9);
    shape.push_back(d_in);
    const Tensor x = sampler.tensor(shape, dtype), weight = sampler.tensor({d_out, d_in}, dtype);
    const Tensor bias = sampler.tensor({d_out}, dtype);
    // Small integers: the product and the sum are exact in float64, and rounded once.
    const auto wide = [](const Tensor& t) { return t.to(DType::float64); };
    const Tensor product = matmul(wide(x), wide(weight).transpose(0, 1));
    ASSERT_TRUE(equal(linear(x, weight), product.to(dtype)));
    ASSERT_TRUE(equal(linear(x, weight, bias), (product + wide(bias)).to(dtype)));
  }
}

TEST(Linear, WrongArgumentsThrow) {
  const Tensor x = Tensor::zeros({4, 3}), weight = Tensor::zeros({2, 3}), nothing;
  expect_error([&] { linear(x, weight.transpose(0, 1)); },
               {"linear", "x has shape (4, 3)", "weight has shape (3, 2)", "(d_out, d_in)"});
  expect_error([&] { linear(tensor(1.0), weight); }, {"linear", "x has shape ()"});
  expect_error([&] { linear(x, weight, Tensor::zeros({3})); }, {"linear", "bias", "(3)", "(2)"});
  expect_error([&] { linear(x, weight.to(DType::float64)); },
               {"linear", "x has dtype float32", "weight has dtype float64"});
  expect_error([&] { linear(x, weight, Tensor::zeros({2}, DType::float64)); },
               {"linear", "bias has dtype float64"});
  expect_error([&] { linear(nothing, weight); }, {"linear", "x is undefined"});
  expect_error([&] { linear(x, nothing); }, {"linear", "weight is undefined"});
  expect_error([] { linear(tensor({1}), tensor({{1}})); }, {"linear", "int64", "floating"});
}

}  // namespace
}  // namespace foveal
