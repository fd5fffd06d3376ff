#include "trace/run/numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "trace/generated.h"
#include "trace/run/record.h"

namespace foveal::trace {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor numbers(const std::vector<double>& values) {
  return Tensor::from_vector(values, {1, static_cast<std::int64_t>(values.size())});
}

/// Each of `values` as the matrix of all of them shows it.
std::vector<std::string> shown(const std::vector<double>& values,
                               Digits (*digits)(const Tensor& data)) {
  std::vector<std::string> texts;
  for (const double value : values) texts.push_back(show(value, digits(numbers(values))));
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Show, RoundsToDecimals) {
  EXPECT_EQ(show(4, 0), "4");
  EXPECT_EQ(show(-0.0, 0), "0");
  EXPECT_EQ(show(-0.0, 4), "0.0000");
  EXPECT_EQ(show(0.08999, 4), "0.0900");
  EXPECT_EQ(show(-1.00005, 4), "-1.0001");
  EXPECT_EQ(show(-kInfinity, 4), "−∞");
  EXPECT_EQ(show(kInfinity, 0), "∞");
  EXPECT_EQ(show(std::nan(""), 4), "NaN");
  EXPECT_EQ(show(1e300, 0), "1.0000e+300");
}

TEST(Show, NothingButZeroShowsAsZero) {
  EXPECT_EQ(show(0.00006, 4), "0.0001");
  EXPECT_EQ(show(0.00004, 4), "4.0e-05");
  EXPECT_EQ(show(-1.234e-12, 4), "-1.2e-12");
  EXPECT_EQ(show(5e-324, 4), "4.9e-324");
}

TEST(Digits, OfComputedNumbersAreOneChoiceAMatrix) {
  EXPECT_EQ(shown({1, 2, -kInfinity}, digits_of), (Texts{"1", "2", "−∞"}));
  EXPECT_EQ(shown({1, 2.5}, digits_of), (Texts{"1.0000", "2.5000"}));
  EXPECT_EQ(shown({0.6652, 0.0000123, 0}, digits_of), (Texts{"0.6652", "1.2e-05", "0.0000"}));
  // Where all are small, four digits of the largest are shown.
  EXPECT_EQ(shown({0.00123456, 0.000012}, digits_of), (Texts{"0.001235", "0.000012"}));
  EXPECT_EQ(shown({0.0000123456, 0}, digits_of), (Texts{"0.00001235", "0.00000000"}));
  EXPECT_EQ(shown({1.23456e-9, -2e-12, 0}, digits_of),
            (Texts{"1.235e-09", "-2.000e-12", "0.0000"}));
  EXPECT_EQ(shown_decimals(numbers({1, 2})), 0);
  EXPECT_EQ(shown_decimals(numbers({1, 2.5})), 4);
  EXPECT_EQ(shown_decimals(numbers({0.00123456})), 6);
  EXPECT_EQ(shown_decimals(tensor({{true, false}})), 0);
}

TEST(Digits, OfGivenNumbersAreThoseGiven) {
  EXPECT_EQ(shown({0.5, 1, -0.25, 1e-5, 0.1}, digits_of_given),
            (Texts{"0.5", "1", "-0.25", "1e-05", "0.1"}));
  EXPECT_EQ(shown({0.12345678, 1}, digits_of_given), (Texts{"0.12345678", "1"}));
  // Numbers that a program drew are too long for a table.
  EXPECT_EQ(shown({0.1234567890123, 1}, digits_of_given), (Texts{"0.1235", "1.0000"}));
}

TEST(Digits, WhatASumLeavesShowsAsZeroAndIsNamed) {
  const std::vector<double> values{0.1 + 0.2 - 0.3, 1.5, 0};
  EXPECT_EQ(shown(values, digits_of_sums), (Texts{"0.0000", "1.5000", "0.0000"}));
  EXPECT_TRUE(shows_as_nothing(numbers(values), digits_of_sums(numbers(values))));
  const std::vector<double> small{1e-9, 1.5, 0};
  EXPECT_EQ(shown(small, digits_of_sums), (Texts{"1.0e-09", "1.5000", "0.0000"}));
  EXPECT_FALSE(shows_as_nothing(numbers(small), digits_of_sums(numbers(small))));
}

/// Whether the text is 0: "0", "0.0000".
bool is_zero(const std::string& text) { return text.find_first_not_of("0.") == std::string::npos; }

TEST(Digits, AStepSaysThatItHidesANumberWhereItDoesAndOnlyThere) {
  int hidden = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Record record = run(parse_input(generated_input(seed).dump(), "generated"));
    for (const Step& step : record.steps) {
      bool hides = false;
      for (const double value : step.data.to_vector()) {
        hides = hides || (value != 0 && is_zero(show(value, step.digits)));
      }
      EXPECT_EQ(step.note.find("not quite 0") != std::string::npos, hides) << step.title;
      hidden += hides ? 1 : 0;
    }
  }
  EXPECT_GT(hidden, 0);
}

TEST(Digits, AreThoseOfTheInputWhereAStepIsTheInput) {
  const Record record = run(parse_input(R"({"inputs": [[0.5, 1.25]]})", "f"));
  for (const StepName name :
       {StepName::inputs, StepName::queries, StepName::keys, StepName::values}) {
    const Step* step = find_step(record, name);
    EXPECT_EQ(show(step->data.at({0, 0}), step->digits), "0.5") << step->title;
  }
  const Step* scores = find_step(record, StepName::scores);
  EXPECT_EQ(show(scores->data.at({0, 0}), scores->digits), "1.8125");
  const Record longer = run(parse_input(R"({"inputs": [[0.50000000001]]})", "f"));
  EXPECT_NE(find_step(longer, StepName::inputs)->note.find("Shown with 4 decimals"),
            std::string::npos);
}

}  // namespace
}  // namespace foveal::trace
