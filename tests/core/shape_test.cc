#include "foveal/shape.h"

#include <gtest/gtest.h>

#include "foveal/error.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;

TEST(Shape, Text) {
  EXPECT_EQ(to_string(Shape{}), "()");
  EXPECT_EQ(to_string(Shape{3}), "(3)");
  EXPECT_EQ(to_string(Shape{2, 0, -1}), "(2, 0, -1)");
}

TEST(Shape, ElementCount) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 3, 4}), 24);
  EXPECT_EQ(element_count({2, 0, 4}), 0);
  EXPECT_EQ(element_count({std::int64_t{1} << 62}), std::int64_t{1} << 62);
  expect_error([] { element_count({2, -3}); }, {"(2, -3)", "-3", "0 or more"});
  constexpr std::int64_t big = std::int64_t{1} << 32;
  expect_error([] { element_count({big, big}); }, {"63 bits"});
  // A size 0 makes no difference, wherever it stands: strides must not overflow either.
  expect_error([] { element_count({big, big, 0}); }, {"63 bits"});
  expect_error([] { element_count({0, big, big}); }, {"63 bits"});
}

TEST(Shape, RowMajorStrides) {
  EXPECT_EQ(row_major_strides({}), Strides{});
  EXPECT_EQ(row_major_strides({2, 3, 4}), (Strides{12, 4, 1}));
  EXPECT_EQ(row_major_strides({2, 0, 4}), (Strides{4, 4, 1}));
}

TEST(Shape, BroadcastExamples) {
  EXPECT_EQ(broadcast_shapes({}, {2, 3}, "f"), (Shape{2, 3}));
  EXPECT_EQ(broadcast_shapes({4, 1}, {3}, "f"), (Shape{4, 3}));
  EXPECT_EQ(broadcast_shapes({1}, {0}, "f"), (Shape{0}));
  EXPECT_EQ(broadcast_shapes({5, 1, 2}, {1, 7, 1}, "f"), (Shape{5, 7, 2}));
  expect_error([] { broadcast_shapes({2, 3}, {4}, "add: a and b"); },
               {"add: a and b", "(2, 3)", "(4)", "3 and 4", "from the right"});
  expect_error([] { broadcast_shapes({0}, {2}, "f"); }, {"(0)", "(2)"});
}

TEST(Shape, BroadcastIsSymmetricAndKeepsAShapeWithItself) {
  samples::Sampler sampler(1);
  for (int round = 0; round < 300; ++round) {
    const Shape whole = sampler.shape(sampler.integer(0, 4));
    Shape part(whole.begin() + sampler.integer(0, static_cast<std::int64_t>(whole.size())),
               whole.end());
    for (std::int64_t& size : part) {
      if (sampler.integer(0, 2) == 0) size = 1;
    }
    EXPECT_EQ(broadcast_shapes(whole, part, "f"), whole);
    EXPECT_EQ(broadcast_shapes(part, whole, "f"), whole);
    EXPECT_EQ(broadcast_shapes(whole, whole, "f"), whole);
  }
}

TEST(Shape, Axes) {
  EXPECT_EQ(normalize_axis(0, 3, "f"), 0);
  EXPECT_EQ(normalize_axis(-1, 3, "f"), 2);
  EXPECT_EQ(normalize_axis(-3, 3, "f"), 0);
  expect_error([] { normalize_axis(3, 3, "sum"); }, {"sum", "axis 3", "-3 to 2"});
  expect_error([] { normalize_axis(-4, 3, "sum"); }, {"axis -4"});
  expect_error([] { normalize_axis(0, 0, "sum"); }, {"sum", "axis 0", "scalar"});
}

}  // namespace
}  // namespace foveal
