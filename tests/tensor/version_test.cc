// version() counts what may write.

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "errors.h"
#include "foveal/operations.h"
#include "foveal/random.h"
#include "foveal/tensor.h"
#include "tensor/builder.h"

namespace foveal {
namespace {

bool may_change_unseen(const Tensor& tensor) {
  return TensorBuilder::storage(tensor).may_change_unseen();
}

TEST(Version, CountsEachWayToWrite) {
  Tensor t = Tensor::zeros({3, 4});
  const Tensor view = t.select(0, 1);
  const std::vector<std::pair<const char*, std::function<void()>>> writes = {
      {"set", [&] { t.set({0, 0}, 1); }},
      {"fill_", [&] { t.fill_(2); }},
      {"fill_ of a view", [&] { Tensor(view).fill_(3); }},
      {"copy_", [&] { t.copy_(Tensor::ones({4})); }},
      {"masked_fill_", [&] { t.masked_fill_(eq(t, 1.0), 5); }},
  };
  for (const auto& [name, write] : writes) {
    const std::uint64_t before = t.version();
    write();
    EXPECT_EQ(t.version(), before + 1) << name;
    EXPECT_EQ(view.version(), t.version());
    EXPECT_FALSE(may_change_unseen(t)) << name;
  }
}

TEST(Version, CountsPointersThatAreHandedOut) {
  for (const bool typed : {true, false}) {
    Tensor t = Tensor::zeros({3});
    std::as_const(t).data<float>();
    std::as_const(t).raw_data();
    EXPECT_EQ(t.version(), 0U);
    EXPECT_FALSE(may_change_unseen(t));
    if (typed) {
      t.data<float>();
    } else {
      t.raw_data();
    }
    EXPECT_EQ(t.version(), 1U);
    EXPECT_TRUE(may_change_unseen(t.slice(0, 1, 2)));
    EXPECT_FALSE(may_change_unseen(t.clone()));
  }
}

TEST(Version, IsNotCountedByWhatFails) {
  Tensor t = Tensor::zeros({3}, DType::int64);
  EXPECT_NE(message_of([&] { t.data<float>(); }), "no error");
  EXPECT_NE(message_of([&] { t.set({7}, 1); }), "no error");
  EXPECT_NE(message_of([&] { t.set({0}, 0.5); }), "no error");
  EXPECT_NE(message_of([&] { t.fill_(0.5); }), "no error");
  const float number = 1;
  Tensor read_only = Tensor::from_blob(&number, {1}, {}, DType::float32);
  EXPECT_NE(message_of([&] { read_only.data<float>(); }), "no error");
  EXPECT_EQ(read_only.version(), 0U);
  EXPECT_EQ(t.version(), 0U);
  EXPECT_FALSE(may_change_unseen(t));
}

TEST(Version, KnowsThatACallersMemoryMayChange) {
  float numbers[2] = {1, 2};
  EXPECT_TRUE(may_change_unseen(Tensor::from_blob(numbers, {2}, {}, DType::float32)));
  const float* const constant = numbers;
  EXPECT_TRUE(may_change_unseen(Tensor::from_blob(constant, {2}, {}, DType::float32)));
}

TEST(Version, OfWhatOperationsMakeIsUntouched) {
  const Tensor a = Tensor::ones({4, 4}), numbers = Tensor::ones({4, 4}, DType::int64),
               flags = eq(a, 1.0), half = a.to(DType::bfloat16);
  Generator generator(1);
  const std::vector<std::pair<const char*, Tensor>> all = {
      {"ones", a},
      {"full", Tensor::full({2}, 3)},
      {"arange", Tensor::arange(3)},
      {"from_vector", Tensor::from_vector(std::vector<float>{1}, {1})},
      {"tensor", tensor({{1.0, 2.0}, {3.0, 4.0}})},
      {"tensor of bool", tensor({true, false})},
      {"clone", a.clone()},
      {"contiguous", a.transpose(0, 1).contiguous()},
      {"reshape", a.transpose(0, 1).reshape({16})},
      {"to", a.to(DType::bfloat16)},
      {"to bool", a.to(DType::boolean)},
      {"+", a + a},
      {"+ number", a + 1.0},
      {"number -", 1.0 - a},
      {"-", -a},
      {"exp", exp(a)},
      {"abs", abs(a)},
      {"eq", flags},
      {"lt number", lt(a, 2.0)},
      {"logical_not", logical_not(flags)},
      {"matmul", matmul(a, a)},
      {"matmul of int64", matmul(numbers, numbers)},
      {"matmul of bfloat16", matmul(half, half)},
      {"dot", dot(a[0], a[1])},
      {"linear", linear(a, a, a[0])},
      {"embedding", embedding(a, Tensor::arange(2))},
      {"sum", sum(a)},
      {"sum along an axis", sum(a, 0)},
      {"max", max(a, 1)},
      {"max of bool", max(flags, 0)},
      {"softmax", softmax(a, 0)},
      {"softmax of bfloat16", softmax(half, 1)},
      {"masked_fill", masked_fill(a, flags, 2)},
      {"triu", triu(a, 1)},
      {"tril", tril(a)},
      {"cat", cat({a, a}, 0)},
      {"stack", stack({a, a}, 0)},
      {"unbind", unbind(a, 0)[0]},
      {"rand", rand({3}, generator)},
      {"randn", randn({3}, generator, DType::float64)},
      {"randint", randint(0, 2, {3}, generator)},
      {"randperm", randperm(3, generator)},
      {"dropout", dropout(a, 0.5, generator)},
      {"dropout_mask", dropout_mask({3}, 0.5, generator, DType::boolean)},
  };
  for (const auto& [name, made] : all) {
    EXPECT_EQ(made.version(), 0U) << name;
    EXPECT_FALSE(may_change_unseen(made)) << name;
  }
}

}  // namespace
}  // namespace foveal
