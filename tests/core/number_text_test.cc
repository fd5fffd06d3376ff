#include "core/number_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

namespace foveal {
namespace {

std::string printed(const char* format, int precision, double value) {
  std::string text(512, '\0');
  text.resize(
      static_cast<std::size_t>(std::snprintf(text.data(), text.size(), format, precision, value)));
  return text;
}

// The tests run in the C locale, where printf is right.
TEST(NumberText, IsWhatPrintfWrites) {
  std::mt19937_64 random(5);
  const double edges[] = {0.0,
                          -0.0,
                          0.5,
                          2.5,
                          1e-7,
                          123456.5,
                          1234567,
                          1e22,
                          0.99999949,
                          std::numeric_limits<double>::max(),
                          std::numeric_limits<double>::lowest(),
                          std::numeric_limits<double>::denorm_min(),
                          std::numeric_limits<double>::infinity(),
                          -std::numeric_limits<double>::infinity()};
  const auto check = [](double value, int precision) {
    EXPECT_EQ(number_text(value, precision), printed("%.*g", precision, value));
    EXPECT_EQ(number_text(value, precision, std::chars_format::fixed),
              printed("%.*f", precision, value));
    EXPECT_EQ(number_text(value, precision, std::chars_format::scientific),
              printed("%.*e", precision, value));
  };
  for (int precision : {0, 1, 3, 4, 6, 17}) {
    for (double value : edges) check(value, precision);
    for (int n = 0; n < 500; ++n) {
      const double fraction = std::uniform_real_distribution<double>(-1, 1)(random);
      check(std::ldexp(fraction, static_cast<int>(random() % 2000) - 1000), precision);
      check(std::ldexp(fraction, static_cast<int>(random() % 40) - 20), precision);
    }
  }
}

TEST(NumberText, NanHasNoSign) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(number_text(nan), "nan");
  EXPECT_EQ(number_text(-nan, 4, std::chars_format::fixed), "nan");
}

}  // namespace
}  // namespace foveal
