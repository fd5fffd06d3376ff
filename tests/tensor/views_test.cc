// Other shapes on the same memory.

#include <gtest/gtest.h>

#include <limits>

#include "foveal/operations.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using samples::Sampler;
using Values = std::vector<double>;

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

TEST(Views, WritingThroughAViewChangesTheWhole) {
  Tensor t = Tensor::arange(24, DType::float32).view({2, 3, 4});
  Tensor v = t.transpose(0, 2).slice(0, 1, 4, 2)[1];
  EXPECT_EQ(v.shape(), (Shape{3, 2}));
  v.set({2, 1}, 100);
  EXPECT_EQ(t.at({1, 2, 3}), 100);
  EXPECT_TRUE(v.shares_storage(t));
  EXPECT_EQ(t.version(), v.version());
}

TEST(Views, TransposeAndPermuteMoveIndices) {
  Sampler sampler(3);
  for (int round = 0; round < 300; ++round) {
    const Tensor t = sampler.tensor(sampler.shape(3), DType::float32);
    const Tensor p = t.permute({2, 0, -2});
    const Tensor x = t.transpose(-1, 0);
    ASSERT_EQ(p.shape(), (Shape{t.size(2), t.size(0), t.size(1)}));
    for (const Shape& i : samples::indices(t.shape())) {
      ASSERT_EQ(p.at({i[2], i[0], i[1]}), t.at(i));
      ASSERT_EQ(x.at({i[2], i[1], i[0]}), t.at(i));
    }
  }
  const Tensor t = Tensor::zeros({2, 3});
  expect_error([&] { t.permute({0}); }, {"permute", "(0)", "(2, 3)", "exactly once"});
  expect_error([&] { t.permute({0, 0}); }, {"permute", "(0, 0)"});
  expect_error([&] { t.permute({0, 2}); }, {"permute", "axis 2"});
  expect_error([&] { t.transpose(0, 2); }, {"transpose", "axis 2"});
  EXPECT_EQ(tensor(5).permute({}).item(), 5);
}

TEST(Views, SliceCutsAsPythonDoes) {
  const Tensor t = Tensor::arange(10);
  EXPECT_EQ(t.slice(0, 2, 5).to_vector(), (Values{2, 3, 4}));
  EXPECT_EQ(t.slice(0, -3, kEnd).to_vector(), (Values{7, 8, 9}));
  EXPECT_EQ(t.slice(0, 0, -7).to_vector(), (Values{0, 1, 2}));
  EXPECT_EQ(t.slice(0, -100, 100, 4).to_vector(), (Values{0, 4, 8}));
  EXPECT_EQ(t.slice(0, 5, 2).to_vector(), Values{});
  EXPECT_EQ(t.slice(0, 100, 200).to_vector(), Values{});
  EXPECT_EQ(t.slice(0, 3, kEnd, kEnd).to_vector(), (Values{3}));
  EXPECT_EQ(t.slice(0, std::numeric_limits<std::int64_t>::min(), kEnd).element_count(), 10);
  expect_error([&] { t.slice(0, 0, 1, 0); }, {"slice", "step is 0", "1 or more"});
  expect_error([&] { t.slice(1, 0, 1); }, {"slice", "axis 1"});
}

TEST(Views, NarrowIsSliceThatDoesNotCut) {
  const Tensor t = Tensor::arange(24).view({4, 6});
  EXPECT_EQ(t.narrow(1, 2, 3).to_vector(), t.slice(1, 2, 5).to_vector());
  EXPECT_EQ(t.narrow(-2, 4, 0).shape(), (Shape{0, 6}));
  EXPECT_EQ(t.narrow(0, 0, 4).to_vector(), t.to_vector());
  EXPECT_TRUE(t.narrow(0, 1, 2).shares_storage(t));
  for (const auto& [start, length] : {std::pair<std::int64_t, std::int64_t>{3, 2},
                                      {5, 0},
                                      {-1, 2},
                                      {0, -1},
                                      {1, std::numeric_limits<std::int64_t>::max()},
                                      {std::numeric_limits<std::int64_t>::max(), 1}}) {
    expect_error([&, s = start, l = length] { t.narrow(0, s, l); },
                 {"narrow", "start " + std::to_string(start), "(4, 6)", "4 at most"});
  }
  expect_error([&] { t.narrow(2, 0, 1); }, {"narrow", "axis 2"});
}

TEST(Views, SliceMovesIndices) {
  Sampler sampler(4);
  for (int round = 0; round < 300; ++round) {
    const Tensor t = sampler.tensor(sampler.shape(2), DType::int64);
    const std::int64_t step = sampler.integer(1, 3);
    const std::int64_t start = sampler.integer(0, 5);
    const Tensor s = t.slice(1, start, sampler.integer(0, 6), step);
    for (const Shape& i : samples::indices(s.shape())) {
      ASSERT_EQ(s.at(i), t.at({i[0], start + i[1] * step}));
    }
  }
}

TEST(Views, SelectDropsTheAxis) {
  const Tensor t = Tensor::arange(6).view({2, 3});
  EXPECT_EQ(t[-1].to_vector(), (Values{3, 4, 5}));
  EXPECT_EQ(t.select(1, 0).to_vector(), (Values{0, 3}));
  EXPECT_EQ(t[1][2].item(), 5);
  expect_error([&] { t[2]; }, {"select", "index 2", "axis 0"});
  expect_error([&] { tensor(1)[0]; }, {"select", "axis 0"});
}

TEST(Views, ViewMergesAndSplitsWhereTheStridesAllowIt) {
  const Tensor t = Tensor::arange(24).view({2, 3, 4});
  EXPECT_EQ(t.view({6, 4}).strides(), (Strides{4, 1}));
  EXPECT_EQ(t.view({2, -1}).shape(), (Shape{2, 12}));
  EXPECT_EQ(t.view({-1}).shape(), (Shape{24}));
  EXPECT_EQ(t.view({1, 24, 1}).to_vector(), t.to_vector());
  // Heads: (L, H * D) -> (L, H, D) -> (H, L, D); the last two axes can't be merged any more.
  const Tensor heads = Tensor::arange(24).view({4, 6}).view({4, 2, 3}).transpose(0, 1);
  EXPECT_EQ(heads.view({2, 4, 3, 1}).strides(), (Strides{3, 6, 1, 1}));
  EXPECT_FALSE(heads.is_contiguous());
  expect_error([&] { heads.view({2, 12}); }, {"view", "(2, 4, 3)", "strides (3, 6, 1)", "(2, 12)",
                                              "transpose", "reshape", "contiguous().view"});
  EXPECT_EQ(heads.contiguous().view({2, 12}).to_vector(), heads.to_vector());
  EXPECT_EQ(heads.reshape({2, 12}).to_vector(), heads.to_vector());
  // An expanded axis stays one axis, and can be split.
  EXPECT_EQ(tensor({1, 2}).unsqueeze(0).expand({6, 2}).view({2, 3, 2}).strides(),
            (Strides{0, 0, 1}));
  EXPECT_EQ(tensor(3).view({1, 1}).item(), 3);
  EXPECT_EQ(tensor({{3}}).view({}).item(), 3);
}

TEST(Views, ViewRefusesShapesOfAnotherSize) {
  const Tensor t = Tensor::zeros({2, 3});
  expect_error([&] { t.view({4}); }, {"view", "(2, 3)", "6 elements", "(4)"});
  expect_error([&] { t.view({4, -1}); }, {"view", "(4, -1)"});
  expect_error([&] { t.view({-1, -1}); }, {"only one size may be -1"});
  expect_error([&] { t.view({-2, 3}); }, {"-2"});
  expect_error([&] { t.reshape({5}); }, {"reshape", "(5)"});
  expect_error([] { Tensor::zeros({0, 3}).view({0, -1}); }, {"-1 could be anything"});
  EXPECT_EQ(Tensor::zeros({0, 3}).view({5, 0}).shape(), (Shape{5, 0}));
  EXPECT_EQ(Tensor::zeros({0, 3}).view({-1, 3}).shape(), (Shape{0, 3}));
}

/// A shape with the same number of elements: sizes joined at random, and 1 put in between.
Shape regrouped(Sampler& sampler, const Shape& shape) {
  Shape result;
  for (const std::int64_t size : shape) {
    if (!result.empty() && sampler.integer(0, 1) == 0) {
      result.back() *= size;
    } else {
      result.push_back(size);
    }
    if (sampler.integer(0, 3) == 0) result.push_back(1);
  }
  return result;
}

TEST(Views, ReshapeKeepsTheOrderAndViewNeverCopies) {
  Sampler sampler(5);
  int views = 0;
  int refusals = 0;
  for (int round = 0; round < 1000; ++round) {
    const Tensor t = sampler.tensor(sampler.shape(sampler.integer(0, 4)), DType::float32);
    const Shape shape = regrouped(sampler, t.shape());
    const Tensor reshaped = t.reshape(shape);
    ASSERT_EQ(reshaped.shape(), shape);
    ASSERT_EQ(reshaped.to_vector(), t.to_vector());
    try {
      const Tensor view = t.view(shape);
      ASSERT_TRUE(view.shares_storage(t) && reshaped.shares_storage(t));
      ASSERT_EQ(view.to_vector(), t.to_vector());
      ++views;
    } catch (const Error&) {
      ASSERT_FALSE(t.is_contiguous());
      ASSERT_FALSE(reshaped.shares_storage(t));
      ++refusals;
    }
  }
  EXPECT_GT(views, 100);
  EXPECT_GT(refusals, 20);
}

TEST(Views, UnsqueezeAndSqueeze) {
  const Tensor t = Tensor::arange(6).view({2, 3});
  EXPECT_EQ(t.unsqueeze(0).shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(t.unsqueeze(1).shape(), (Shape{2, 1, 3}));
  EXPECT_EQ(t.unsqueeze(-1).shape(), (Shape{2, 3, 1}));
  EXPECT_EQ(t.unsqueeze(1).squeeze(1).shape(), t.shape());
  EXPECT_EQ(t.squeeze(0).shape(), t.shape());
  EXPECT_EQ(t.unsqueeze(1).to_vector(), t.to_vector());
  EXPECT_TRUE(t.transpose(0, 1).unsqueeze(1).view({3, 2}).shares_storage(t));
  expect_error([&] { t.unsqueeze(3); }, {"unsqueeze", "axis 3"});
  expect_error([&] { t.squeeze(2); }, {"squeeze", "axis 2"});
}

TEST(Views, ExpandRepeats) {
  const Tensor row = tensor({1, 2, 3});
  const Tensor t = row.expand({2, 2, -1});
  EXPECT_EQ(t.shape(), (Shape{2, 2, 3}));
  EXPECT_EQ(t.strides(), (Strides{0, 0, 1}));
  EXPECT_EQ(t.to_vector(), (Values{1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(tensor({{1}, {2}}).expand({2, 2}).to_vector(), (Values{1, 1, 2, 2}));
  EXPECT_EQ(tensor({{1}}).expand({1, 0}).to_vector(), Values{});
  expect_error([&] { row.expand({2}); }, {"expand", "(3)", "(2)", "size 3", "size 1"});
  expect_error([&] { row.expand({}); }, {"expand", "(3)", "()"});
  expect_error([&] { row.expand({-1, 3}); }, {"expand", "new axis"});
  expect_error([&] { tensor({1}).expand({-2}); }, {"expand", "(-2)"});
}

TEST(Views, ContiguousKeepsWhatIsDense) {
  const Tensor t = Tensor::arange(6).view({2, 3});
  EXPECT_TRUE(t.contiguous().shares_storage(t));
  const Tensor x = t.transpose(0, 1);
  EXPECT_FALSE(x.is_contiguous());
  EXPECT_FALSE(x.contiguous().shares_storage(t));
  EXPECT_TRUE(x.contiguous().is_contiguous());
  EXPECT_TRUE(equal(x.contiguous(), x));
  EXPECT_FALSE(t.clone().shares_storage(t));
  // Strides of axes of size 1 don't matter.
  EXPECT_TRUE(Tensor::zeros({3, 1}).transpose(0, 1).is_contiguous());
  EXPECT_TRUE(Tensor::zeros({0, 3}).transpose(0, 1).is_contiguous());
}

}  // namespace
}  // namespace foveal
