// Conversion, and writing in place.

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

TEST(To, EveryPairOfDtypesKeepsSmallIntegers) {
  Sampler sampler(6);
  for (const DType from : samples::kAll) {
    for (const DType to : samples::kAll) {
      const Tensor t = sampler.tensor({3, 5}, from);
      const Tensor converted = t.to(to);
      EXPECT_EQ(converted.dtype(), to);
      EXPECT_EQ(converted.shares_storage(t), from == to);
      Values expected = t.to_vector();
      if (to == DType::boolean) {
        for (double& value : expected) value = value == 0 ? 0 : 1;
      }
      EXPECT_EQ(converted.to_vector(), expected);
    }
  }
}

TEST(To, FloatingTypesRoundToNearestEven) {
  const Tensor t =
      tensor({1 + 0x1p-24, 1 + 0x1.8p-23, 1e300, -1e300, 0x1p-150, 0x1.8p-149}, DType::float64);
  EXPECT_EQ(t.to(DType::float32).to_vector(),
            (Values{1, 1 + 0x1p-22, kInfinity, -kInfinity, 0, 0x1p-148}));
  EXPECT_EQ(tensor({1 + 0x1p-8 + 0x1p-30}, DType::float64).to(DType::bfloat16).item(), 1 + 0x1p-7);
  EXPECT_TRUE(std::isnan(tensor({kNaN}).to(DType::float16).item()));
}

TEST(To, Int64RoundsOnceToHalfPrecision) {
  // Just above a tie of bfloat16; a float64 in between would lose the 1.
  const std::int64_t tie = (std::int64_t{1} << 60) + (std::int64_t{1} << 52);
  const double below = 0x1p60;
  const double above = 0x1p60 + 0x1p53;
  const auto convert = [](std::int64_t value) {
    return Tensor::from_vector(std::vector<std::int64_t>{value}, {}).to(DType::bfloat16).item();
  };
  EXPECT_EQ(convert(tie), below);
  EXPECT_EQ(convert(tie + 1), above);
  EXPECT_EQ(convert(tie - 1), below);
  EXPECT_EQ(convert(-tie), -below);
  EXPECT_EQ(convert(-tie - 1), -above);
  EXPECT_EQ(convert(-tie + 1), -below);
  EXPECT_EQ(convert(std::numeric_limits<std::int64_t>::min()), -0x1p63);
  EXPECT_EQ(convert(std::numeric_limits<std::int64_t>::max()), 0x1p63);
  EXPECT_EQ(tensor({70000}).to(DType::float16).item(), kInfinity);
}

TEST(To, Int64GoesTowardsZeroAndChecksItsRange) {
  const Tensor t = tensor({2.9, -2.9, -0.5, 0x1p62}, DType::float64);
  EXPECT_EQ(t.to(DType::int64).to_vector(), (Values{2, -2, 0, 0x1p62}));
  EXPECT_EQ(tensor({-0x1p63}, DType::float64).to(DType::int64).item(), -0x1p63);
  for (const double bad : {kNaN, kInfinity, -kInfinity, 0x1p63, -0x1.0000000000001p63}) {
    expect_error([bad] { tensor({bad}, DType::float64).to(DType::int64); }, {"to(int64)"});
  }
  expect_error([] { tensor({kNaN}).to(DType::bfloat16).to(DType::int64); }, {"nan"});
}

TEST(To, BoolIsTrueForEverythingButZero) {
  EXPECT_EQ(tensor({0.0, -0.0, 0.5, kNaN, -kInfinity}).to(DType::boolean).to_vector(),
            (Values{0, 0, 1, 1, 1}));
  EXPECT_EQ(tensor({0x1p-24}).to(DType::float16).to(DType::boolean).item(), 1);
  EXPECT_EQ(tensor({-0.0}).to(DType::bfloat16).to(DType::boolean).item(), 0);
}

TEST(Fill, WritesEveryElementOfAView) {
  Tensor t = Tensor::zeros({3, 4});
  t.slice(0, 0, 3, 2).transpose(0, 1).fill_(2);
  EXPECT_EQ(t.to_vector(), (Values{2, 2, 2, 2, 0, 0, 0, 0, 2, 2, 2, 2}));
  EXPECT_EQ(t.version(), 1U);
  Tensor whole = Tensor::zeros({2}, DType::int64);
  expect_error([&] { whole.fill_(0.5); }, {"fill_", "0.5", "int64"});
  expect_error([&] { whole.fill_(1e30); }, {"fill_", "int64"});
  EXPECT_EQ(whole.version(), 0U);
  EXPECT_EQ(Tensor::zeros({0}).fill_(1).element_count(), 0);
}

TEST(Copy, BroadcastsAndConverts) {
  Sampler sampler(7);
  for (int round = 0; round < 300; ++round) {
    const Shape shape = sampler.shape(3);
    Tensor target = Tensor::zeros(shape, samples::kNumbers[round % 5]);
    Shape part(shape.begin() + sampler.integer(0, 3), shape.end());
    for (std::int64_t& size : part) {
      if (size > 0 && sampler.integer(0, 2) == 0) size = 1;  // 1 to 0 is refused
    }
    const Tensor source = sampler.tensor(part, samples::kAll[round % 6]);
    target.copy_(source);
    for (const Shape& index : samples::indices(shape)) {
      ASSERT_EQ(target.at(index), samples::at_broadcast(source, index));
    }
    ASSERT_EQ(target.version(), 1U);
  }
}

TEST(Copy, OverlappingViewsOfOneMemory) {
  for (const std::int64_t size : samples::kEdgeSizes) {
    Tensor t = Tensor::arange(size + 1);
    t.slice(0, 1, size + 1).copy_(t.slice(0, 0, size));
    EXPECT_EQ(t.at({0}), 0);
    for (std::int64_t i = 0; i < size; ++i) EXPECT_EQ(t.at({i + 1}), static_cast<double>(i));
    Tensor u = Tensor::arange(size + 1);
    u.slice(0, 0, size).copy_(u.slice(0, 1, size + 1));
    for (std::int64_t i = 0; i < size; ++i) EXPECT_EQ(u.at({i}), static_cast<double>(i + 1));
  }
  Tensor square = Tensor::arange(9).view({3, 3});
  square.copy_(square.transpose(0, 1));
  EXPECT_EQ(square.to_vector(), (Values{0, 3, 6, 1, 4, 7, 2, 5, 8}));
  // Two handles on one memory of the caller's overlap too.
  std::vector<double> memory = {1, 2, 3};
  Tensor a = Tensor::from_blob(memory.data() + 1, {2}, {}, DType::float64);
  a.copy_(Tensor::from_blob(memory.data(), {2}, {}, DType::float64));
  EXPECT_EQ(memory, (Values{1, 1, 2}));
}

TEST(Copy, WrongSourcesThrowAndChangeNothing) {
  Tensor t = Tensor::ones({2, 3}, DType::int64);
  expect_error([&] { t.copy_(Tensor::zeros({2})); }, {"copy_", "source", "(2)", "(2, 3)"});
  expect_error([&] { t.copy_(Tensor::zeros({1, 2, 3})); }, {"copy_", "(1, 2, 3)"});
  expect_error([&] { t.copy_(tensor({1.0, 2.0, kNaN})); }, {"int64"});
  EXPECT_EQ(t.to_vector(), (Values{1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(t.version(), 0U);
}

TEST(Copy, RefusesToLoseAnEntry) {
  // A cache of four places, and a fifth token: slice has cut the place away.
  Tensor cache = Tensor::zeros({2, 4, 3});
  const Tensor token = Tensor::ones({2, 1, 3});
  expect_error([&] { cache.slice(1, 4, 5).copy_(token); },
               {"copy_", "(2, 1, 3)", "(2, 0, 3)", "axis -2", "empty", "lost"});
  cache.slice(1, 4, 5).copy_(Tensor::zeros({2, 0, 3}));  // nothing to nothing
  cache.slice(1, 4, 5).fill_(1);
  cache.slice(1, 4, 5).copy_(tensor(1.0));  // a number for every entry, of which there are none
  EXPECT_EQ(sum(cache).item(), 0);
}

TEST(InPlace, AnExpandedTensorCannotBeWritten) {
  Tensor t = Tensor::zeros({3, 1}).expand({3, 2});
  const std::vector<std::function<void()>> calls = {
      [&] { t.fill_(1); },
      [&] { t.set({0, 0}, 1); },
      [&] { t.copy_(Tensor::ones({3, 2})); },
      [&] { t.masked_fill_(Tensor::ones({3, 2}), 1); },
  };
  for (const auto& call : calls) expect_error(call, {"(3, 2)", "expanded", "axis 1", "clone()"});
  EXPECT_EQ(t.clone().fill_(1).at({2, 1}), 1);
  // Repeated once is not repeated.
  Tensor::zeros({3, 1}).expand({1, 3, 1}).fill_(1);
}

}  // namespace
}  // namespace foveal
