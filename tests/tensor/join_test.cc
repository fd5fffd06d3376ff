// cat, stack, unbind, embedding.

#include <gtest/gtest.h>

#include "foveal/operations.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using samples::Sampler;
using Values = std::vector<double>;

TEST(Cat, PutsEntriesOneAfterTheOther) {
  Sampler sampler(23);
  for (int round = 0; round < 300; ++round) {
    const DType dtype = samples::kAll[round % 6];
    const std::int64_t rank = sampler.integer(1, 4), axis = sampler.integer(0, rank - 1);
    Shape shape = sampler.shape(rank);
    std::vector<Tensor> parts;
    for (std::int64_t n = sampler.integer(1, 4); n > 0; --n) {
      shape[axis] = sampler.integer(0, 4);
      parts.push_back(sampler.tensor(shape, dtype));
    }
    const Tensor joined = cat(parts, axis);
    ASSERT_TRUE(equal(joined, cat(parts, axis - rank)));
    std::int64_t start = 0;
    for (const Tensor& part : parts) {
      ASSERT_TRUE(equal(joined.slice(axis, start, start + part.size(axis)), part));
      ASSERT_FALSE(joined.shares_storage(part));
      start += part.size(axis);
    }
    ASSERT_EQ(joined.size(axis), start);
  }
}

TEST(Stack, IsUndoneByUnbind) {
  Sampler sampler(24);
  for (int round = 0; round < 300; ++round) {
    const DType dtype = samples::kAll[round % 6];
    const std::int64_t rank = sampler.integer(0, 3), axis = sampler.integer(0, rank);
    const Shape shape = sampler.shape(rank);
    std::vector<Tensor> parts;
    for (std::int64_t n = sampler.integer(1, 4); n > 0; --n) {
      parts.push_back(sampler.tensor(shape, dtype));
    }
    const Tensor stacked = stack(parts, axis);
    ASSERT_TRUE(equal(stacked, stack(parts, axis - rank - 1)));
    const std::vector<Tensor> entries = unbind(stacked, axis);
    ASSERT_EQ(entries.size(), parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      ASSERT_TRUE(equal(entries[i], parts[i]));
      ASSERT_TRUE(entries[i].shares_storage(stacked));
    }
  }
  EXPECT_TRUE(unbind(Tensor::zeros({2, 0}), 1).empty());
}

TEST(Join, WrongArgumentsListTheTensors) {
  const Tensor a = Tensor::zeros({2, 3}), b = Tensor::zeros({2, 4}), nothing;
  const Tensor d = Tensor::zeros({2, 3}, DType::float64);
  expect_error([&] { cat({a, b}, 0); }, {"cat", "(2, 3) float32, (2, 4) float32", "joined axis"});
  expect_error([&] { cat({a, a[0]}, 0); }, {"cat", "(2, 3) float32, (3) float32"});
  expect_error([&] { cat({a, d}, 0); }, {"cat", "(2, 3) float32, (2, 3) float64", "dtypes"});
  expect_error([&] { cat({a, nothing}, 0); }, {"cat", "tensors[1] is undefined"});
  expect_error([] { cat({}, 0); }, {"cat", "empty"});
  expect_error([&] { cat({a}, 2); }, {"cat", "axis 2"});
  expect_error([] { cat({tensor(1)}, 0); }, {"cat", "axis 0"});
  expect_error([&] { stack({a, b}, 0); }, {"stack", "(2, 3) float32, (2, 4) float32"});
  expect_error([&] { stack({a, d}, 0); }, {"stack", "float64"});
  expect_error([&] { stack({nothing}, 0); }, {"stack", "tensors[0] is undefined"});
  expect_error([] { stack({}, 0); }, {"stack", "empty"});
  expect_error([&] { stack({a}, 3); }, {"stack", "axis 3"});
  expect_error([&] { unbind(a, 2); }, {"unbind", "axis 2"});
  expect_error([&] { unbind(nothing, 0); }, {"unbind", "a is undefined"});
}

TEST(Embedding, TakesRowsAtIds) {
  Sampler sampler(25);
  for (int round = 0; round < 200; ++round) {
    const DType dtype = samples::kAll[round % 6];
    const std::int64_t rows = sampler.integer(9, 12), width = sampler.integer(0, 5);
    const Tensor weight = sampler.tensor({rows, width}, dtype);
    const Tensor ids = abs(sampler.tensor(sampler.shape(sampler.integer(0, 3)), DType::int64));
    const Tensor result = embedding(weight, ids);
    ASSERT_EQ(result.dtype(), dtype);
    ASSERT_EQ(result.rank(), ids.rank() + 1);
    for (const Shape& index : samples::indices(result.shape())) {
      const Shape place(index.begin(), index.end() - 1);
      const auto id = static_cast<std::int64_t>(ids.at(place));
      ASSERT_EQ(result.at(index), weight.at({id, index.back()}));
    }
  }
}

TEST(Embedding, WrongArgumentsThrow) {
  const Tensor weight = Tensor::zeros({3, 2}), nothing;
  expect_error([&] { embedding(weight, tensor({{0, 1}, {2, 3}})); },
               {"embedding", "(1, 1)", "is 3", "3 rows", "0 to 2"});
  expect_error([&] { embedding(weight, tensor({0, -1})); }, {"embedding", "(1)", "is -1"});
  expect_error([&] { embedding(weight, tensor({0.0})); }, {"embedding", "float32", "to(int64)"});
  expect_error([&] { embedding(weight[0], tensor({0})); }, {"embedding", "(2)", "(n, d)"});
  expect_error([&] { embedding(nothing, tensor({0})); }, {"embedding", "weight is undefined"});
  expect_error([&] { embedding(weight, nothing); }, {"embedding", "ids is undefined"});
  EXPECT_EQ(embedding(weight, tensor(2)).shape(), Shape{2});
  EXPECT_EQ(embedding(weight, Tensor::zeros({0}, DType::int64)).shape(), (Shape{0, 2}));
}

}  // namespace
}  // namespace foveal
