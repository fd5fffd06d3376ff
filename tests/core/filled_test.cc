#include "core/filled.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <vector>

namespace foveal {
namespace {

TEST(Filled, GapsTakeThePartsInOrderOrByNumber) {
  EXPECT_EQ(filled("plain"), "plain");
  EXPECT_EQ(filled("{}", "a"), "a");
  EXPECT_EQ(filled("[{},{}] {}", 1, -2, std::string("x")), "[1,-2] x");
  EXPECT_EQ(filled("{1}{0}{1}", 'a', true), "trueatrue");
  EXPECT_EQ(filled("{{{}}} }}{{", std::string_view("in")), "{in} }{");
  EXPECT_EQ(filled("{}{}{}{}{}{}{}{}{}{}{}", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), "012345678910");
  EXPECT_EQ(filled("{}", INT64_MIN), "-9223372036854775808");
}

TEST(Filled, APartIsNotReadAsAText) { EXPECT_EQ(filled("{}!{}", "{}", "{{"), "{}!{{"); }

TEST(Filled, GapsAreCountedAsTheyAreCompiled) {
  static_assert(gaps_fit("{} {}", 2));
  static_assert(gaps_fit("{1}{0}", 2));
  static_assert(gaps_fit("{{}}", 0));
  static_assert(!gaps_fit("{} {}", 1));
  static_assert(!gaps_fit("{}", 2));
  static_assert(!gaps_fit("{0} {0}", 2));
  static_assert(!gaps_fit("{2}", 2));
  for (const bool fits : {gaps_fit("{", 1), gaps_fit("}", 0), gaps_fit("{:.3f}", 1)}) {
    EXPECT_FALSE(fits);
  }
}

TEST(Filled, NumbersReadBackTheSame) {
  EXPECT_EQ(filled("{} {} {} {}", 0.5, -0.0, 100000.0, 1e16), "0.5 -0 100000 1e+16");
  EXPECT_EQ(filled("{} {} {}", 0.0001, 0.00001, -1.25e-7), "0.0001 1e-05 -1.25e-07");
  EXPECT_EQ(filled("{} {} {}", NAN, INFINITY, -INFINITY), "nan inf -inf");
  std::mt19937_64 random(1);
  for (int n = 0; n < 2000; ++n) {
    const double number =
        std::ldexp(static_cast<double>(random()), static_cast<int>(n % 200) - 150);
    EXPECT_EQ(std::strtod(filled("{}", number).c_str(), nullptr), number);
  }
}

TEST(Filled, Joined) {
  EXPECT_EQ(joined_with(std::vector<std::string>{"a", "b"}, ", "), "a, b");
  EXPECT_EQ(joined_with(std::vector<int>{1}, ","), "1");
  EXPECT_EQ(joined_with(std::vector<int>{}, ","), "");
}

}  // namespace
}  // namespace foveal
