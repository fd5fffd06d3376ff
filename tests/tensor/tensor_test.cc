// Making tensors, and reading and writing their elements.

#include "foveal/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "foveal/error.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using Values = std::vector<double>;

TEST(Tensor, Factories) {
  for (const DType dtype : samples::kAll) {
    EXPECT_EQ(Tensor::zeros({2, 2}, dtype).to_vector(), (Values{0, 0, 0, 0}));
    EXPECT_EQ(Tensor::ones({3}, dtype).to_vector(), (Values{1, 1, 1}));
    EXPECT_EQ(Tensor::full({}, 1, dtype).dtype(), dtype);
    EXPECT_EQ(Tensor::zeros({2, 0, 3}, dtype).to_vector(), Values{});
  }
  EXPECT_EQ(Tensor::zeros({2}).dtype(), DType::float32);
  EXPECT_EQ(Tensor::arange(4).to_vector(), (Values{0, 1, 2, 3}));
  EXPECT_EQ(Tensor::arange(4).dtype(), DType::int64);
  EXPECT_EQ(Tensor::arange(3, DType::float16).to_vector(), (Values{0, 1, 2}));
  EXPECT_EQ(Tensor::arange(0).shape(), Shape{0});
  EXPECT_EQ(Tensor::full({2}, -std::numeric_limits<double>::infinity()).at({1}),
            -std::numeric_limits<double>::infinity());
  expect_error([] { Tensor::arange(-1); }, {"arange", "-1"});
  expect_error([] { Tensor::arange(2, DType::boolean); }, {"arange", "bool"});
  expect_error([] { Tensor::full({2}, 0.5, DType::int64); }, {"full", "0.5", "int64", "integer"});
}

TEST(Tensor, OwnMemoryIsAlignedTo64Bytes) {
  for (const std::int64_t size : samples::kEdgeSizes) {
    const Tensor t = Tensor::zeros({size}, DType::float16);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.raw_data()) % 64, 0U);
  }
}

TEST(Tensor, ShapesThatCannotFitThrowBeforeAnythingIsAllocated) {
  constexpr std::int64_t huge = std::int64_t{1} << 40;
  expect_error([] { Tensor::zeros({huge, 64}); }, {"memory", "float32"});
  expect_error([] { Tensor::zeros({huge, huge}); }, {"63 bits"});
  expect_error([] { Tensor::zeros({std::int64_t{1} << 61}, DType::float64); }, {"memory"});
  expect_error([] { Tensor::zeros({-1}); }, {"-1", "0 or more"});
}

TEST(Tensor, FromVector) {
  EXPECT_EQ(Tensor::from_vector(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3}).at({1, 0}), 4);
  EXPECT_EQ(Tensor::from_vector(std::vector<std::int64_t>{7}, {}).item(), 7);
  EXPECT_EQ(Tensor::from_vector(std::vector<Float16>{Float16(0.5)}, {1}).dtype(), DType::float16);
  expect_error([] { Tensor::from_vector(std::vector<float>{1, 2}, {3}); },
               {"from_vector", "2", "(3)", "3"});
}

TEST(Tensor, AnUndefinedTensorHasNoShapeAndThrowsClearly) {
  Tensor nothing;
  EXPECT_FALSE(nothing.defined());
  EXPECT_TRUE(Tensor::zeros({0}).defined());
  EXPECT_EQ(nothing.shape(), Shape{});
  const std::vector<std::function<void()>> calls = {
      [&] { nothing.size(0); },
      [&] { nothing.element_count(); },
      [&] { nothing.is_contiguous(); },
      [&] { nothing.read_only(); },
      [&] { nothing.version(); },
      [&] { nothing.data<float>(); },
      [&] { std::as_const(nothing).data<float>(); },
      [&] { nothing.raw_data(); },
      [&] { std::as_const(nothing).raw_data(); },
      [&] { nothing.at({}); },
      [&] { nothing.set({}, 1); },
      [&] { nothing.item(); },
      [&] { nothing.to_vector(); },
      [&] { nothing[0]; },
      [&] { nothing.select(0, 0); },
      [&] { nothing.slice(0, 0, 1); },
      [&] { nothing.view({1}); },
      [&] { nothing.reshape({1}); },
      [&] { nothing.transpose(0, 1); },
      [&] { nothing.permute({}); },
      [&] { nothing.unsqueeze(0); },
      [&] { nothing.squeeze(0); },
      [&] { nothing.expand({1}); },
      [&] { nothing.contiguous(); },
      [&] { nothing.clone(); },
      [&] { nothing.to(DType::float32); },
      [&] { nothing.fill_(0); },
      [&] { nothing.copy_(Tensor::zeros({})); },
      [&] { nothing.masked_fill_(Tensor::zeros({}), 0); },
  };
  for (const auto& call : calls) expect_error(call, {"undefined"});
  Tensor t = Tensor::zeros({2});
  expect_error([&] { t.copy_(nothing); }, {"copy_", "source is undefined"});
  expect_error([&] { t.masked_fill_(nothing, 0); }, {"masked_fill_", "mask is undefined"});
}

TEST(Tensor, ElementsByIndex) {
  Tensor t = Tensor::arange(6, DType::float64).view({2, 3});
  EXPECT_EQ(t.at({1, 2}), 5);
  EXPECT_EQ(t.at({-1, -3}), 3);
  t.set({0, -1}, 2.5);
  EXPECT_EQ(t.at({0, 2}), 2.5);
  EXPECT_EQ(t.size(-1), 3);
  expect_error([&] { t.at({2, 0}); }, {"at", "index 2", "axis 0", "size 2", "-2 to 1"});
  expect_error([&] { t.at({0, -4}); }, {"index -4", "axis 1"});
  expect_error([&] { t.at({1}); }, {"at", "(1)", "(2, 3)"});
  expect_error([&] { t.set({0, 3}, 1); }, {"set", "index 3"});
  expect_error([&] { t.size(2); }, {"size", "axis 2"});
  expect_error([&] { Tensor::zeros({0}).at({0}); }, {"empty"});
  Tensor whole = Tensor::zeros({2}, DType::int64);
  expect_error([&] { whole.set({0}, 0.5); }, {"set", "0.5", "int64"});
  Tensor flag = tensor({true, false});
  EXPECT_EQ(flag.at({0}), 1);
  flag.set({1}, 3);
  EXPECT_EQ(flag.at({1}), 1);
}

TEST(Tensor, ItemNeedsOneElement) {
  EXPECT_EQ(tensor({{{2.5}}}).item(), 2.5);
  expect_error([] { tensor({1, 2}).item(); }, {"item", "(2)", "exactly one"});
  expect_error([] { Tensor::zeros({0}).item(); }, {"item", "(0)"});
}

TEST(Tensor, DataNeedsTheRightType) {
  Tensor t = Tensor::zeros({2});
  t.data<float>()[1] = 3;
  EXPECT_EQ(t.at({1}), 3);
  expect_error([&] { t.data<double>(); }, {"data", "float64", "float32"});
  expect_error([&] { std::as_const(t).data<bool>(); }, {"bool", "float32"});
  EXPECT_EQ(t[1].data<float>(), t.data<float>() + 1);
  EXPECT_EQ(t[1].raw_data(), t.data<float>() + 1);
}

TEST(Tensor, ToVectorGoesRowByRowThroughAnyLayout) {
  samples::Sampler sampler(2);
  for (int round = 0; round < 400; ++round) {
    const DType dtype = samples::kAll[round % 6];
    const Tensor t = sampler.tensor(sampler.shape(sampler.integer(0, 4)), dtype);
    Values expected;
    for (const Shape& index : samples::indices(t.shape())) expected.push_back(t.at(index));
    ASSERT_EQ(t.to_vector(), expected);
    ASSERT_EQ(t.clone().to_vector(), expected);
    ASSERT_TRUE(t.clone().is_contiguous());
  }
}

TEST(Tensor, ReadingFromSeveralThreadsIsSafe) {
  const Tensor t = Tensor::arange(1000, DType::float32);
  std::vector<std::thread> threads;
  std::vector<double> sums(4);
  for (std::size_t n = 0; n < sums.size(); ++n) {
    threads.emplace_back([&t, &sums, n] {
      const Tensor view = t.view({10, 100}).transpose(0, 1);
      for (const double value : view.to_vector()) sums[n] += value;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const double sum : sums) EXPECT_EQ(sum, 999 * 500);
}

TEST(NestedList, ShapeAndDtypeFollowTheNumbers) {
  const Tensor t = tensor({{1, 2}, {3, 4}, {5, 6}});
  EXPECT_EQ(t.shape(), (Shape{3, 2}));
  EXPECT_EQ(t.dtype(), DType::int64);
  EXPECT_EQ(t.to_vector(), (Values{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(tensor({1, 2.5}).dtype(), DType::float32);
  EXPECT_EQ(tensor({{1}, {true}, {2.5}}).dtype(), DType::float32);
  EXPECT_EQ(tensor({true, false}).dtype(), DType::boolean);
  EXPECT_EQ(tensor({true, 2}).dtype(), DType::int64);
  EXPECT_EQ(tensor({0.1}, DType::float64).item(), 0.1);
  EXPECT_EQ(tensor({0.1}).item(), 0.1F);
  EXPECT_EQ(tensor({{0.5}}).shape(), (Shape{1, 1}));
  EXPECT_EQ(tensor({{{1, 2}}}).shape(), (Shape{1, 1, 2}));
  EXPECT_EQ(tensor(7).shape(), Shape{});
  EXPECT_EQ(tensor({}).shape(), Shape{0});
  EXPECT_EQ(tensor({}).dtype(), DType::float32);
  EXPECT_EQ(tensor({NestedList({}), NestedList({})}).shape(), (Shape{2, 0}));
}

TEST(NestedList, Int64KeepsEveryDigit) {
  const std::int64_t big = std::numeric_limits<std::int64_t>::max() - 1;
  EXPECT_EQ(*tensor({big}).data<std::int64_t>(), big);
}

TEST(NestedList, RaggedListsThrowWithTheirPlace) {
  expect_error([] { tensor({{1, 2}, {3}}); }, {"tensor", "values[1]", "1", "2", "same number"});
  expect_error([] { tensor({{1, 2}, 3}); }, {"values[1]", "number", "list"});
  expect_error([] { tensor({1, {2, 3}}); }, {"values[1]", "list"});
  expect_error([] { tensor({{{1}, {2}}, {{3}, {4, 5}}}); }, {"values[1][1]"});
  expect_error([] { tensor({1.5}, DType::int64); }, {"tensor", "1.5", "int64"});
}

}  // namespace
}  // namespace foveal
