// Making tensors, and reading and writing their elements.

#include "foveal/tensor.h"

#include <gtest/gtest.h>

#include "foveal/error.h"

namespace foveal {
namespace {

TEST(Tensor, NestedListsGiveShapeAndDtype) {
  const Tensor t = tensor({{1, 2}, {3, 4}, {5, 6}});
  EXPECT_EQ(t.shape(), (Shape{3, 2}));
  EXPECT_EQ(t.dtype(), DType::int64);
  EXPECT_EQ(t.to_vector(), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(tensor({1, 2.5}).dtype(), DType::float32);
  EXPECT_EQ(tensor({true, false}).dtype(), DType::boolean);
  EXPECT_EQ(tensor({true, 2}).dtype(), DType::int64);
  EXPECT_EQ(tensor({0.1}, DType::float64).item(), 0.1);
  EXPECT_EQ(tensor({{0.5}}).shape(), (Shape{1, 1}));
  EXPECT_EQ(tensor({{{1, 2}}}).shape(), (Shape{1, 1, 2}));
  EXPECT_EQ(tensor(7).shape(), Shape{});
  EXPECT_EQ(tensor({}).shape(), (Shape{0}));
}

TEST(Tensor, ViewsShareMemory) {
  Tensor t = Tensor::arange(24, DType::float32).view({2, 3, 4});
  Tensor v = t.transpose(0, 2).slice(0, 1, 4, 2)[1];
  EXPECT_EQ(v.shape(), (Shape{3, 2}));
  v.set({2, 1}, 100);
  EXPECT_EQ(t.at({1, 2, 3}), 100);
  EXPECT_TRUE(v.shares_storage(t));
  EXPECT_THROW(v.view({6}), Error);
  EXPECT_EQ(v.reshape({6}).to_vector(), (std::vector<double>{3, 15, 7, 19, 11, 100}));
  EXPECT_EQ(t.expand({5, 2, 3, 4}).at({4, 1, 2, 3}), 100);
}

}  // namespace
}  // namespace foveal
