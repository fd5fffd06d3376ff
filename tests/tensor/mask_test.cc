// masked_fill, triu and tril, against one element at a time.

#include <gtest/gtest.h>

#include <limits>

#include "foveal/operations.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using samples::Sampler;
using Values = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(MaskedFill, BroadcastsTheMaskOverEveryLayout) {
  Sampler sampler(21);
  for (int round = 0; round < 400; ++round) {
    const DType dtype = samples::kNumbers[round % 5];
    const Tensor a = sampler.tensor(sampler.shape(3), dtype);
    Shape part(a.shape().begin() + sampler.integer(0, 3), a.shape().end());
    for (std::int64_t& size : part) {
      if (sampler.integer(0, 2) == 0) size = 1;
    }
    // bool, or 0 and 1 in a's own dtype.
    const Tensor flags = sampler.tensor(part, DType::boolean);
    const Tensor mask = round % 2 == 0 ? flags : flags.to(dtype);
    const Tensor result = masked_fill(a, mask, 7);
    Tensor in_place = a.clone();
    in_place.masked_fill_(mask, 7);
    ASSERT_EQ(in_place.version(), 1U);
    ASSERT_TRUE(equal(in_place, result));
    for (const Shape& index : samples::indices(a.shape())) {
      const bool masked = samples::at_broadcast(mask, index) != 0;
      ASSERT_EQ(result.at(index), masked ? 7 : a.at(index));
    }
  }
}

TEST(MaskedFill, TheChaptersMask) {
  const Tensor mask = triu(Tensor::ones({3, 3}), 1);
  const Tensor scores = Tensor::ones({2, 3, 3});
  EXPECT_EQ(masked_fill(scores, mask, -kInfinity)[1].to_vector(),
            (Values{1, -kInfinity, -kInfinity, 1, 1, -kInfinity, 1, 1, 1}));
}

TEST(MaskedFill, TheMaskMayBeTheTensorItself) {
  Tensor a = tensor({{0, 1}, {2, 0}}, DType::float32);
  a.masked_fill_(a, 5);
  EXPECT_EQ(a.to_vector(), (Values{0, 5, 5, 0}));
  Tensor flags = tensor({{true, false}, {false, false}});
  flags.masked_fill_(flags[0], 1);
  EXPECT_EQ(flags.to_vector(), (Values{1, 0, 1, 0}));
  Tensor shifted = tensor({true, false, false, false});
  shifted.slice(0, 1, 4).masked_fill_(shifted.slice(0, 0, 3), 1);
  EXPECT_EQ(shifted.to_vector(), (Values{1, 1, 0, 0}));
}

TEST(MaskedFill, WrongArgumentsThrow) {
  Tensor a = Tensor::zeros({2, 3}, DType::float64);
  const Tensor nothing;
  expect_error([&] { masked_fill(a, Tensor::ones({2, 3}), 0); },
               {"masked_fill: mask has dtype float32 but a has dtype float64: a mask must be bool "
                "or have a's dtype; convert it with mask.to(float64), or register it as a buffer "
                "so that Module::to moves it"});
  expect_error([&] { a.masked_fill_(Tensor::ones({2, 3}), 0); },
               {"masked_fill_: mask has dtype float32 but a has dtype float64"});
  const Tensor short_mask = tensor({true, false});
  expect_error([&] { masked_fill(a, short_mask, 0); },
               {"masked_fill", "a and mask", "(2, 3)", "(2)"});
  const Tensor large_mask = Tensor::zeros({4, 2, 3}, DType::boolean);
  expect_error([&] { masked_fill(a, large_mask, 0); },
               {"masked_fill", "mask has shape (4, 2, 3)", "a has shape (2, 3)"});
  expect_error([&] { masked_fill(a, nothing, 0); }, {"masked_fill", "mask is undefined"});
  expect_error([&] { masked_fill(nothing, a, 0); }, {"masked_fill", "a is undefined"});
  expect_error([] { masked_fill(tensor({1}), tensor({1}), -kInfinity); },
               {"masked_fill", "inf", "int64"});
  EXPECT_EQ(a.version(), 0U);
}

TEST(Triangle, KeepsTheEntriesOnOneSideOfTheDiagonal) {
  Sampler sampler(22);
  for (int round = 0; round < 300; ++round) {
    const DType dtype = samples::kAll[round % 6];
    const Tensor a = sampler.tensor(sampler.shape(sampler.integer(2, 4)), dtype);
    const std::int64_t diagonal = sampler.integer(-6, 6);
    const Tensor upper = triu(a, diagonal), lower = tril(a, diagonal);
    ASSERT_EQ(upper.dtype(), dtype);
    for (const Shape& index : samples::indices(a.shape())) {
      const std::int64_t place = index[index.size() - 1] - index[index.size() - 2];
      ASSERT_EQ(upper.at(index), place >= diagonal ? a.at(index) : 0);
      ASSERT_EQ(lower.at(index), place <= diagonal ? a.at(index) : 0);
    }
  }
}

TEST(Triangle, AnyDiagonalAndEmptySizes) {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const Tensor a = Tensor::ones({2, 2});
  EXPECT_EQ(sum(triu(a, most)).item(), 0);
  EXPECT_EQ(sum(tril(a, most)).item(), 4);
  EXPECT_EQ(sum(triu(a, -most - 1)).item(), 4);
  EXPECT_EQ(triu(Tensor::ones({0, 3})).shape(), (Shape{0, 3}));
  // What is dropped is 0, whatever stood there.
  EXPECT_EQ(tril(Tensor::full({2, 2}, kInfinity)).at({0, 1}), 0);
  expect_error([] { triu(tensor({1})); }, {"triu", "(1)", "2 axes"});
  expect_error([] { tril(tensor(1)); }, {"tril", "()"});
  expect_error([] { triu(Tensor()); }, {"triu", "a is undefined"});
  expect_error([] { tril(Tensor()); }, {"tril", "a is undefined"});
}

}  // namespace
}  // namespace foveal
