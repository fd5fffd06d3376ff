#include "trace/check/check.h"
#include "trace/records.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "draw/terminal.h"
#include "foveal/error.h"
#include "trace/check/agreement.h"
#include "trace/plain_attention.h"

namespace foveal::trace {
namespace {

PrintedNumber number(const std::string& text) {
  const auto point = text.find('.');
  const int decimals = point == std::string::npos ? 0 : static_cast<int>(text.size() - point) - 1;
  return {text, std::stod(text), decimals};
}

std::string preset(const std::string& name) {
  return std::string(FOVEAL_TEST_DATA) + "/../../examples/inputs/" + name;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const Check& check_at(const std::vector<Check>& checks, StepName step,
                      const std::vector<std::int64_t>& cell) {
  for (const Check& one : checks) {
    if (one.step == step && one.cell == cell) return one;
  }
  throw Error("no check of " + text(step));
}

TEST(Agreement, HalfAUnitOfTheLastPlaceAndNoMore) {
  EXPECT_TRUE(agrees(0.2447, number("0.24")));
  EXPECT_TRUE(agrees(0.245, number("0.24")));  // a tie agrees both ways
  EXPECT_TRUE(agrees(0.245, number("0.25")));
  EXPECT_TRUE(agrees(0.125, number("0.12")));
  EXPECT_TRUE(agrees(0.125, number("0.13")));
  EXPECT_FALSE(agrees(0.2451, number("0.24")));
  EXPECT_TRUE(agrees(2.5, number("3")));
  EXPECT_FALSE(agrees(2.4, number("3")));
  EXPECT_TRUE(agrees(-0.2447, number("-0.245")));
  EXPECT_FALSE(agrees(-0.2447, number("0.245")));
}

TEST(Agreement, ManyDecimalsAreHeldToNineDigits) {
  EXPECT_TRUE(agrees(1.0 / 3, number("0.3333333333333")));
  EXPECT_TRUE(agrees(12345.678901234, number("12345.678901239")));
  EXPECT_FALSE(agrees(1.0 / 3, number("0.3333333400000")));
}

TEST(Agreement, WhatIsNotFiniteAgreesWithItselfAlone) {
  const double infinity = std::numeric_limits<double>::infinity();
  const PrintedNumber hidden{"-inf", -infinity, 0};
  const PrintedNumber nan{"nan", std::nan(""), 0};
  EXPECT_TRUE(agrees(-infinity, hidden));
  EXPECT_FALSE(agrees(-1e300, hidden));
  EXPECT_FALSE(agrees(infinity, hidden));
  EXPECT_TRUE(agrees(std::nan(""), nan));
  EXPECT_FALSE(agrees(0, nan));
  EXPECT_FALSE(agrees(std::nan(""), number("0")));
  EXPECT_FALSE(agrees(-infinity, number("0.5")));
}

TEST(Agreement, CutMeansDigitsDropped) {
  EXPECT_TRUE(cut_instead_of_rounded(0.24469, number("0.2446")));
  EXPECT_TRUE(cut_instead_of_rounded(-1.999, number("-1.99")));
  EXPECT_TRUE(cut_instead_of_rounded(3.7, number("3")));
  EXPECT_FALSE(cut_instead_of_rounded(0.24469, number("0.2447")));
  EXPECT_FALSE(cut_instead_of_rounded(0.24469, number("0.2445")));
  EXPECT_FALSE(cut_instead_of_rounded(0.24469, number("0.2448")));
  EXPECT_FALSE(cut_instead_of_rounded(0.29, number("0.28")));
}

TEST(Agreement, SwappedMeansTheSameDigitsInTwoPlaces) {
  EXPECT_TRUE(two_digits_swapped(0.2447, number("0.2474")));
  EXPECT_TRUE(two_digits_swapped(12, number("21")));
  EXPECT_TRUE(two_digits_swapped(1.27, number("2.17")));
  EXPECT_TRUE(two_digits_swapped(-0.27, number("-0.72")));
  EXPECT_TRUE(two_digits_swapped(10, number("1")));  // 01
  EXPECT_FALSE(two_digits_swapped(0.27, number("-0.72")));
  EXPECT_FALSE(two_digits_swapped(0.27, number("0.73")));
  EXPECT_FALSE(two_digits_swapped(0.1234, number("0.2341")));  // three digits moved
  EXPECT_FALSE(two_digits_swapped(3, number("1")));
}

TEST(Check, TheWorkedExampleAsPrinted) {
  const Record record = run(worked_example());
  const std::vector<Check> checks = check(record);
  ASSERT_EQ(checks.size(), 16U);
  const Check& key = check_at(checks, StepName::keys, {2, 0});
  EXPECT_FALSE(key.agrees);
  EXPECT_EQ(key.ours, 1);
  EXPECT_EQ(key.slip_kind, "term_lost");
  EXPECT_EQ(key.also_possible, std::vector<std::string>{"misread"});
  const Check& score = check_at(checks, StepName::scores, {0, 2});
  EXPECT_FALSE(score.agrees);
  EXPECT_EQ(score.printed, "1");
  EXPECT_EQ(score.ours, 3);
  EXPECT_EQ(score.arithmetic, "2·1 + 1·1 = 3");
  EXPECT_TRUE(contains(score.slip.value(), "K_sat is [1, 1], not [0, 1]"));
  EXPECT_TRUE(contains(check_at(checks, StepName::weights, {0, 0}).slip.value(), "follows from"));
  EXPECT_TRUE(contains(check_at(checks, StepName::context, {0, 1}).slip.value(), "follows from"));
  const std::string text = check_text_of(record);
  for (const char* part :
       {"Score(The, sat) is printed as 1; it is 3 because K_sat is [1, 1], not [0, 1].",
        "2·1 + 1·1 = 3", "as printed: 2·0 + 1·1 = 1", "follows from the scores of The",
        "follows from the weights of The", "0.2447", "0.6652", "0.0900", "1.2447", "1.0900",
        "0.2840", "0.5760", "0.1400", "1.2840", "1.1400"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST(Check, AMisreadKeyIsNamedWhereItShows) {
  Input input = worked_example();
  input.expected.erase(input.expected.begin(), input.expected.begin() + 2);
  ASSERT_TRUE(input.expected.front().name == StepName::scores);
  const std::vector<Check> checks = check(run(input));
  const Check& score = check_at(checks, StepName::scores, {0, 2});
  EXPECT_FALSE(score.agrees);
  EXPECT_EQ(score.slip_kind, "term_lost");
  EXPECT_EQ(score.arithmetic, "2·1 + 1·1 = 3");
  for (const StepName step : {StepName::weights, StepName::context}) {
    EXPECT_TRUE(contains(check_at(checks, step, {0, 0}).slip.value(), "follows from"));
  }
}

TEST(Check, CorrectedHasBothScales) {
  const std::vector<Corrected> both = corrected(worked_example(), 0);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].name, "unscaled");
  EXPECT_EQ(both[0].scores.to_vector(), (std::vector<double>{4, 5, 3}));
  EXPECT_NEAR(both[0].weights.at({1}), 0.6652, 5e-5);
  EXPECT_NEAR(both[0].context.at({1}), 1.0900, 5e-5);
  EXPECT_EQ(both[1].name, "scaled");
  EXPECT_NEAR(both[1].weights.at({2}), 0.1400, 5e-5);
  EXPECT_NEAR(both[1].context.at({0}), 1.2840, 5e-5);
}

TEST(Check, EveryPresetRunsAndKeepsToEightyColumns) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(preset(""))) {
    const Input input = read_input(entry.path().string());
    ++files;
    const Record record = run(input);
    if (!has_printed_numbers(input)) {
      EXPECT_THROW(check(record), Error);
      continue;
    }
    const std::string name = entry.path().filename().string();
    const auto parsed = nlohmann::json::parse(check_json_of(record));
    EXPECT_EQ(parsed["schema"], "foveal.check/1");
    const bool slipped = name == "the_cat_sat.json" || name == "slip_unscaled.json";
    EXPECT_EQ(parsed["agrees"], !slipped) << name;
    std::istringstream text(check_text_of(record));
    for (std::string line; std::getline(text, line);) {
      EXPECT_LE(draw::terminal::width(line), 80) << name << ": " << line;
    }
  }
  EXPECT_GE(files, 9);
}

TEST(Check, ThePlantedPresetNamesItsSlip) {
  const Record record = run(read_input(preset("slip_unscaled.json")));
  const std::vector<Check> checks = check(record);
  EXPECT_TRUE(contains(check_at(checks, StepName::weights, {0, 0}).slip.value(), "not scaled"));
  EXPECT_TRUE(contains(check_at(checks, StepName::context, {1, 1}).slip.value(), "follows from"));
}

TEST(Check, JsonHasTheKeysInOrder) {
  const std::string text = check_json_of(run(worked_example()));
  const auto parsed = nlohmann::ordered_json::parse(text);
  std::vector<std::string> keys;
  for (const auto& item : parsed["checks"][0].items()) keys.push_back(item.key());
  EXPECT_EQ(keys, (std::vector<std::string>{"step", "cell", "printed", "ours", "arithmetic", "slip",
                                            "slip_kind", "also_possible", "agrees"}));
  EXPECT_TRUE(parsed["checks"][0]["slip"].is_null());
  EXPECT_TRUE(parsed["checks"][0]["slip_kind"].is_null());
  EXPECT_EQ(parsed["checks"].size(), 16U);
}

TEST(Check, NothingToCheckIsAnErrorOfTheData) {
  Input input = worked_example();
  input.expected.clear();
  EXPECT_FALSE(has_printed_numbers(input));
  try {
    check(run(input));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_TRUE(contains(error.what(), "/expected"));
  }
  input.expected = {{StepName::scores, {{{std::nullopt, std::nullopt, std::nullopt}}}}};
  EXPECT_FALSE(has_printed_numbers(input));
  EXPECT_THROW(check(run(input)), Error);
}

/// An input with a number misread, and later steps computed from it without rounding.
struct Misread {
  Input input;
  std::map<std::string, plain::Heads> printed;
};

Misread misread_score(plain::Random& random) {
  plain::Plan setup;
  setup.X = random.matrix(5, 3);
  setup.W_query = random.matrix(3, 4);
  setup.W_key = random.matrix(3, 4);
  setup.W_value = random.matrix(3, 4);
  setup.scale = 0.5;
  Misread result;
  Input& input = result.input;
  for (int i = 1; i <= 5; ++i) input.tokens.push_back(fmt::format("x{}", i));
  input.inputs = plain::tensor_of(setup.X);
  input.W_query = plain::tensor_of(setup.W_query);
  input.W_key = plain::tensor_of(setup.W_key);
  input.W_value = plain::tensor_of(setup.W_value);
  result.printed = plain::run(setup);
  plain::Matrix& scores = result.printed["scores"][0];
  scores[1][2] += 1 + std::abs(random.number());
  plain::Matrix scaled = scores;
  for (auto& row : scaled) {
    for (double& x : row) x *= setup.scale;
  }
  result.printed["weights"] = {plain::softmax(scaled)};
  result.printed["context"] = {
      plain::product(result.printed["weights"][0], result.printed["values"][0])};
  return result;
}

TEST(Check, WhatFollowsFromAMisreadScoreIsTold) {
  plain::Random random(5);
  for (int trial = 0; trial < 60; ++trial) {
    Misread example = misread_score(random);
    for (const char* step : {"scores", "weights", "context"}) {
      example.input.expected.push_back(plain::expected(step, example.printed[step], 3));
    }
    for (const Check& one : check(run(example.input))) {
      if (one.agrees) continue;
      EXPECT_EQ(one.cell[0], 1);
      if (one.step == StepName::scores) {
        EXPECT_FALSE(one.slip_kind.has_value()) << *one.slip_kind;
      } else {
        EXPECT_TRUE(contains(one.slip.value_or("none"), "follows from"))
            << trial << " " << text(one.step) << one.cell[1] << " " << one.printed << " "
            << one.slip_kind.value_or("none") << " " << check_entry(one);
      }
    }
  }
}

TEST(Check, ASecondSlipAfterAMisreadScoreIsNamed) {
  plain::Random random(6);
  int wrong = 0;
  int named = 0;
  for (int trial = 0; trial < 60; ++trial) {
    Misread example = misread_score(random);
    const plain::Heads unscaled = {plain::softmax(example.printed["scores"][0])};
    example.input.expected = {plain::expected("scores", example.printed["scores"], 4),
                              plain::expected("weights", unscaled, 3)};
    const std::vector<Check> checks = check(run(example.input));
    const Check& weight = check_at(checks, StepName::weights, {1, 1});
    if (weight.agrees) continue;
    ++wrong;
    named += contains(weight.slip.value_or("none"), "not scaled") ? 1 : 0;
  }
  EXPECT_GT(wrong, 40);
  // The misread score is known to its printed decimals alone, so a weight may miss by a unit.
  EXPECT_GE(named, wrong - 2);
}

TEST(Check, ContextOfRoundedWeightsIsTold) {
  plain::Random random(7);
  int told = 0;
  for (int trial = 0; trial < 60; ++trial) {
    Misread example = misread_score(random);
    const Record record = run(example.input);
    plain::Matrix rounded(5, std::vector<double>(5));
    for (int i = 0; i < 5; ++i) {
      for (int j = 0; j < 5; ++j) {
        const double exact = find_step(record, StepName::weights)->data.at({i, j});
        rounded[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] =
            std::round(exact * 100) / 100;
      }
    }
    const plain::Matrix context = plain::product(rounded, example.printed["values"][0]);
    example.input.expected = {plain::expected("weights", {rounded}, 2),
                              plain::expected("context", {context}, 4)};
    for (const Check& one : check(run(example.input))) {
      if (one.agrees) continue;
      EXPECT_EQ(one.step, StepName::context);
      told += one.slip_kind == "rounded_early" ? 1 : 0;
      // Scaled scores printed as scores would change no weight: that explains nothing here.
      const auto& also = one.also_possible;
      EXPECT_EQ(std::find(also.begin(), also.end(), "scale_extra"), also.end());
    }
  }
  EXPECT_GT(told, 500);
}

TEST(Check, AFullyMaskedRowIsHeldToNaN) {
  Input input = read_input(preset("fully_masked_row.json"));
  for (ExpectedStep& step : input.expected) {
    if (step.name != StepName::weights) continue;
    for (auto& cell : step.heads[0][1]) cell = PrintedNumber{"0", 0, 0};
  }
  for (const Check& one : check(run(input))) {
    EXPECT_EQ(one.agrees, one.step != StepName::weights || one.cell[0] != 1);
  }
}

TEST(Check, TheReportIsSafeOnATerminalAndTellsTwinsApart) {
  Input input = worked_example();
  input.tokens = {"\x1b[31mred", "twin", "twin"};
  const std::string text = check_text_of(run(input));
  EXPECT_FALSE(contains(text, "\x1b"));
  EXPECT_TRUE(contains(text, "K_twin#2"));
}

}  // namespace
}  // namespace foveal::trace
