// The charts of foveal compare, from comparisons made up here.

#include <gtest/gtest.h>

#include "measure/compare/compare.h"

namespace foveal::measure {
namespace {

/// A label says what every part of a bar is: what is too small for its name is part of "other".
TEST(CompareChart, EveryPartOfABarIsNamed) {
  Comparison comparison;
  comparison.agrees = true;
  CompareRow row;
  row.variant = "chapter";
  row.library = "foveal";
  row.forward = row.forward_backward = {.repeats = 3, .median = 1, .spread = 0.1};
  row.where = {
      {"linear", 0.5}, {"matmul", 0.2}, {"masked_fill_", 0.06}, {"mean", 0.14}, {"other", 0.1}};
  comparison.rows = {row};
  const std::string wide = compare_svg(comparison, false);
  for (const char* const part : {"linear 50 %", "matmul 20 %", "mean 14 %", "other 16 %"}) {
    EXPECT_NE(wide.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(wide.find("masked_fill_"), std::string::npos) << "6 % are too narrow for the name";
}

}  // namespace
}  // namespace foveal::measure
