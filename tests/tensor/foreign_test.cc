// Memory of the caller's: in place, any strides, read-only, freed once.

#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "foveal/operations.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using Values = std::vector<double>;

TEST(FromBlob, UsesTheMemoryInPlace) {
  std::array<float, 6> memory = {0, 1, 2, 3, 4, 5};
  Tensor t = Tensor::from_blob(memory.data(), {2, 3}, {}, DType::float32);
  t.set({1, 1}, 40);
  EXPECT_EQ(memory[4], 40);
  EXPECT_EQ(t.strides(), (Strides{3, 1}));
  EXPECT_FALSE(t.read_only());
  EXPECT_EQ(t.data<float>(), memory.data());
}

TEST(FromBlob, NegativeAndZeroStrides) {
  std::array<double, 6> memory = {0, 1, 2, 3, 4, 5};
  const Tensor t = Tensor::from_blob(memory.data() + 5, {2, 3}, {-3, -1}, DType::float64);
  EXPECT_EQ(t.to_vector(), (Values{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(t.transpose(0, 1)[1].to_vector(), (Values{4, 1}));
  EXPECT_EQ((t + t).to_vector(), (Values{10, 8, 6, 4, 2, 0}));
  const Tensor same = Tensor::from_blob(memory.data() + 2, {3}, {0}, DType::float64);
  EXPECT_EQ(same.to_vector(), (Values{2, 2, 2}));
}

TEST(FromBlob, TheDeleterRunsOnceWhenTheLastHandleGoes) {
  int runs = 0;
  std::array<float, 4> memory{};
  {
    Tensor view;
    {
      const Tensor t = Tensor::from_blob(memory.data(), {4}, {}, DType::float32, [&](void* data) {
        EXPECT_EQ(data, memory.data());
        ++runs;
      });
      view = t.slice(0, 1, 3).unsqueeze(0);
      const Tensor copy = t;
    }
    EXPECT_EQ(runs, 0);
    view.fill_(2);
  }
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(memory[1], 2);
}

TEST(FromBlob, ReadOnlyMemoryCanBeReadAlone) {
  int runs = 0;
  const std::array<float, 4> memory = {1, 2, 3, 4};
  {
    Tensor t =
        Tensor::from_blob(memory.data(), {4}, {}, DType::float32, [&](const void*) { ++runs; });
    Tensor view = t.view({2, 2}).transpose(0, 1);
    EXPECT_TRUE(view.read_only());
    EXPECT_EQ(view.to_vector(), (Values{1, 3, 2, 4}));
    EXPECT_EQ(std::as_const(t).data<float>(), memory.data());
    EXPECT_EQ((t * 2.0).to_vector(), (Values{2, 4, 6, 8}));
    const std::vector<std::function<void()>> calls = {
        [&] { t.data<float>(); },
        [&] { t.raw_data(); },
        [&] { view.set({0, 0}, 1); },
        [&] { view.fill_(1); },
        [&] { t.copy_(Tensor::zeros({4})); },
        [&] { t.masked_fill_(tensor({true, true, true, true}), 1); },
    };
    for (const auto& call : calls) expect_error(call, {"read-only", "clone()"});
    Tensor own = t.clone();
    EXPECT_FALSE(own.read_only());
    own.fill_(0);
  }
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(memory[0], 1);
}

TEST(FromBlob, WrongArgumentsThrowAndLeaveTheMemoryToTheCaller) {
  int runs = 0;
  alignas(8) std::array<char, 64> memory{};
  const auto count = [&](void*) { ++runs; };
  void* const data = memory.data();
  expect_error([&] { Tensor::from_blob(data, {2, 2}, {1}, DType::float32, count); },
               {"from_blob", "strides (1)", "(2, 2)"});
  expect_error([&] { Tensor::from_blob(data, {-2}, {}, DType::float32, count); }, {"-2"});
  expect_error([&] { Tensor::from_blob(memory.data() + 1, {2}, {}, DType::float32, count); },
               {"from_blob", "aligned", "4"});
  void* const null = nullptr;
  expect_error([&] { Tensor::from_blob(null, {2}, {}, DType::float32, count); },
               {"from_blob", "null", "2 elements"});
  const std::int64_t huge = std::int64_t{1} << 61;
  for (const std::int64_t stride : {huge, -huge}) {
    expect_error([&] { Tensor::from_blob(data, {3, 3}, {stride, 1}, DType::float64, count); },
                 {"from_blob", "strides"});
  }
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(Tensor::from_blob(null, {0, 3}, {}, DType::float32, count).to_vector(), Values{});
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace foveal
