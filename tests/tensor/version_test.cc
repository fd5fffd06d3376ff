// version() counts what may write.

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "errors.h"
#include "foveal/operations.h"
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
  const Tensor a = Tensor::ones({4, 4});
  for (const Tensor& made :
       {a, a.clone(), a.to(DType::bfloat16), a.to(DType::boolean), triu(a, 1), eq(a, 1.0), a + a,
        a.transpose(0, 1).contiguous(), masked_fill(a, eq(a, 1.0), 2), Tensor::arange(3),
        Tensor::from_vector(std::vector<float>{1}, {1})}) {
    EXPECT_EQ(made.version(), 0U);
    EXPECT_FALSE(may_change_unseen(made));
  }
}

}  // namespace
}  // namespace foveal
