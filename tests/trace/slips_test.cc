// Each usual slip is planted in generated inputs; the check must find it, and must not see slips in
// noise.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "case_count.h"
#include "foveal/reference.h"
#include "trace/check/agreement.h"
#include "trace/check/check.h"
#include "trace/plain_attention.h"

namespace foveal::trace {
namespace {

using plain::Heads;
using plain::Matrix;
using plain::Plan;

const int kTrials = static_cast<int>(std::max(4U, case_count(4)));

struct Example {
  Plan setup;  ///< without slip
  Input input;
};

/// What an example is drawn with.
struct Kind {
  bool causal = false;
  Scale::Kind scale = Scale::Kind::sqrt;
  bool several_heads = false;
  bool dropout = false;
  bool square = false;  ///< W_query, W_key and W_value are square
  bool as_many_tokens_as_features = false;
};

Example draw(plain::Random& random, const Kind& kind) {
  Example example;
  Plan& setup = example.setup;
  setup.heads = kind.several_heads ? 2 : 1;
  // Two heads of two would make D and the square root of their width the same.
  const auto size = static_cast<std::size_t>(random.between(kind.several_heads ? 3 : 2, 5));
  const std::size_t width = size * setup.heads;
  const std::size_t d_in = kind.square ? width : static_cast<std::size_t>(random.between(2, 6));
  const std::size_t length =
      kind.as_many_tokens_as_features ? size : static_cast<std::size_t>(random.between(3, 7));
  setup.X = random.matrix(length, d_in);
  setup.W_query = random.matrix(d_in, width);
  setup.W_key = random.matrix(d_in, width);
  setup.W_value = random.matrix(d_in, width);
  setup.scale = kind.scale == Scale::Kind::sqrt ? 1 / std::sqrt(static_cast<double>(size)) : 1;
  Input& input = example.input;
  for (std::size_t i = 0; i < length; ++i) input.tokens.push_back(fmt::format("x{}", i + 1));
  input.inputs = plain::tensor_of(setup.X);
  input.W_query = plain::tensor_of(setup.W_query);
  input.W_key = plain::tensor_of(setup.W_key);
  input.W_value = plain::tensor_of(setup.W_value);
  input.settings.num_heads = static_cast<std::int64_t>(setup.heads);
  input.settings.scale.kind = kind.scale;
  if (kind.causal) {
    input.settings.mask = "causal";
    setup.mask.assign(length, std::vector<bool>(length));
    for (std::size_t i = 0; i < length; ++i) {
      for (std::size_t j = 0; j <= i; ++j) setup.mask[i][j] = true;
    }
  }
  if (kind.dropout) {
    const double p = 0.3;
    input.settings.dropout = {p, static_cast<std::uint64_t>(random.between(0, 1000))};
    const std::vector<double> kept =
        find_step(run(input), StepName::dropout_mask)->data.to_vector();
    setup.dropout_mask.assign(setup.heads, Matrix(length, std::vector<double>(length)));
    for (std::size_t i = 0; i < kept.size(); ++i) {
      setup.dropout_mask[i / length / length][i / length % length][i % length] = kept[i];
    }
    setup.dropout_scale = 1 / (1 - p);
  }
  return example;
}

std::vector<Check> check_of(const Input& input) { return check(run(input)); }

const Check* first_wrong(const std::vector<Check>& checks) {
  for (const Check& one : checks) {
    if (!one.agrees) return &one;
  }
  return nullptr;
}

/// Plants `slip` in many examples, prints `step`, and expects the first wrong number to be named
/// as `slip_kind`.
void expect_named(const Kind& kind, const std::string& step, const std::string& slip_kind,
                  const std::function<void(Plan&)>& slip) {
  plain::Random random(20);
  int shown = 0;
  int named = 0;
  std::string others;
  for (int trial = 0; trial < kTrials; ++trial) {
    Example example = draw(random, kind);
    slip(example.setup);
    const int decimals = random.between(3, 5);
    example.input.expected = {plain::expected(step, plain::run(example.setup).at(step), decimals)};
    const std::vector<Check> checks = check_of(example.input);
    const Check* wrong = first_wrong(checks);
    if (wrong == nullptr) continue;  // a slip that changes nothing here
    ++shown;
    const std::string named_kind = wrong->slip_kind.value_or("none");
    const std::vector<std::string>& also = wrong->also_possible;
    const bool told =
        named_kind == slip_kind || std::find(also.begin(), also.end(), slip_kind) != also.end();
    named += told ? 1 : 0;
    if (!told) others += fmt::format("\n  trial {}: {}", trial, named_kind);
  }
  EXPECT_GE(shown, kTrials / 2) << step << ": " << slip_kind;
  // Now and then two slips print the same numbers.
  EXPECT_GE(named, shown - 1) << step << ": " << slip_kind << others;
}

TEST(Slips, NotScaledIsNamed) {
  for (const char* step : {"scaled_scores", "weights", "context"}) {
    expect_named({}, step, "scale_missing", [](Plan& s) { s.scale = 1; });
    expect_named({.causal = true, .several_heads = true}, step, "scale_missing",
                 [](Plan& s) { s.scale = 1; });
  }
}

TEST(Slips, ScaledWhereItShouldNotBeIsNamed) {
  const Kind kind = {.scale = Scale::Kind::none};
  const auto scaled = [](Plan& s) {
    s.scale = 1 / std::sqrt(static_cast<double>(s.W_query[0].size()));
  };
  for (const char* step : {"weights", "context"}) expect_named(kind, step, "scale_extra", scaled);
}

TEST(Slips, ScaledScoresPrintedAsScoresAreNamed) {
  plain::Random random(3);
  for (int trial = 0; trial < kTrials; ++trial) {
    Example example = draw(random, {});
    const auto steps = plain::run(example.setup);
    example.input.expected = {plain::expected("scores", steps.at("scaled_scores"), 4)};
    const std::vector<Check> checks = check_of(example.input);
    EXPECT_EQ(first_wrong(checks)->slip_kind, "scale_extra");
  }
}

TEST(Slips, ScaledByDIsNamed) {
  for (const char* step : {"scaled_scores", "weights", "context"}) {
    expect_named({}, step, "scale_by_size", [](Plan& s) { s.scale *= s.scale; });
    expect_named({.causal = true}, step, "scale_by_size", [](Plan& s) { s.scale *= s.scale; });
  }
}

TEST(Slips, ScaledByTheWidthOfAllHeadsIsNamed) {
  const auto wide = [](Plan& s) {
    s.scale = 1 / std::sqrt(static_cast<double>(s.W_query[0].size()));
  };
  for (const char* step : {"scaled_scores", "weights", "context"}) {
    expect_named({.several_heads = true}, step, "scale_by_width", wide);
  }
}

TEST(Slips, TransposedWeightsAreNamed) {
  for (const bool heads : {false, true}) {
    const Kind kind = {.several_heads = heads, .square = true};
    expect_named(kind, "queries", "weight_transposed",
                 [](Plan& s) { s.W_query = plain::transposed(s.W_query); });
    expect_named(kind, "keys", "weight_transposed",
                 [](Plan& s) { s.W_key = plain::transposed(s.W_key); });
    expect_named(kind, "values", "weight_transposed",
                 [](Plan& s) { s.W_value = plain::transposed(s.W_value); });
  }
}

TEST(Slips, TransposedKeysAndScoresAreNamed) {
  expect_named({.as_many_tokens_as_features = true}, "scores", "key_not_transposed",
               [](Plan& s) { s.product = plain::Product::untransposed; });
  expect_named({}, "scores", "product_transposed",
               [](Plan& s) { s.product = plain::Product::key_query; });
}

TEST(Slips, MaskSlipsAreNamed) {
  for (const bool heads : {false, true}) {
    const Kind kind = {.causal = true, .several_heads = heads};
    for (const char* step : {"masked_scores", "weights", "context"}) {
      expect_named(kind, step, "mask_missing", [](Plan& s) { s.mask.clear(); });
      expect_named(kind, step, "mask_reversed", [](Plan& s) {
        for (auto& row : s.mask) row.flip();
      });
    }
  }
  const auto causal = [](Plan& s) {
    const std::size_t length = s.X.size();
    s.mask.assign(length, std::vector<bool>(length));
    for (std::size_t i = 0; i < length; ++i) {
      for (std::size_t j = 0; j <= i; ++j) s.mask[i][j] = true;
    }
  };
  for (const char* step : {"weights", "context"}) {
    expect_named({}, step, "mask_extra", causal);
  }
}

TEST(Slips, SoftmaxSlipsAreNamed) {
  for (const char* step : {"weights", "context"}) {
    expect_named({}, step, "softmax_axis", [](Plan& s) { s.softmax = plain::Softmax::columns; });
    expect_named({.causal = true, .several_heads = true}, step, "softmax_axis",
                 [](Plan& s) { s.softmax = plain::Softmax::columns; });
    expect_named({.causal = true}, step, "mask_after_softmax",
                 [](Plan& s) { s.softmax = plain::Softmax::before_mask; });
  }
}

TEST(Slips, DropoutSlipsAreNamed) {
  for (const char* step : {"dropped_weights", "context"}) {
    const Kind kind = {.dropout = true};
    expect_named(kind, step, "dropout_scale_missing", [](Plan& s) { s.dropout_scale = 1; });
    expect_named(kind, step, "dropout_scale_by_p", [](Plan& s) { s.dropout_scale = 1 / 0.3; });
    expect_named(kind, step, "dropout_ignored", [](Plan& s) { s.dropout_mask.clear(); });
  }
}

TEST(Slips, NeighbouringRowIsNamedInEachStep) {
  plain::Random random(8);
  for (const char* step : {"queries", "keys", "values", "scores", "weights", "context"}) {
    for (int trial = 0; trial < kTrials; ++trial) {
      Example example = draw(random, {});
      Heads right = plain::run(example.setup).at(step);
      const auto last = static_cast<int>(right[0].size()) - 1;
      const auto row = static_cast<std::size_t>(random.between(0, last - 1));
      right[0][row] = right[0][row + 1];
      example.input.expected = {plain::expected(step, right, 4)};
      const std::vector<Check> checks = check_of(example.input);
      if (first_wrong(checks) == nullptr) continue;
      // Where two numbers of neighbouring rows changed places, both are said.
      const Check& wrong = *first_wrong(checks);
      const auto& also = wrong.also_possible;
      const bool both = std::find(also.begin(), also.end(), "row_shifted") != also.end();
      EXPECT_TRUE(wrong.slip_kind == "row_shifted" || both) << step << " " << check_entry(wrong);
    }
  }
}

TEST(Slips, ANeighbouringKeyIsNamedInOneScore) {
  plain::Random random(9);
  for (int trial = 0; trial < kTrials; ++trial) {
    Example example = draw(random, {});
    Heads scores = plain::run(example.setup).at("scores");
    scores[0][1][1] = scores[0][1][2];
    example.input.expected = {plain::expected("scores", scores, 4)};
    const std::vector<Check> checks = check_of(example.input);
    if (first_wrong(checks) == nullptr) continue;
    EXPECT_EQ(first_wrong(checks)->slip_kind, "misread");
    EXPECT_EQ(first_wrong(checks)->slip, "misread: Score(x2, x3) was made for Score(x2, x2)");
  }
}

TEST(Slips, CutNumbersAreNamed) {
  plain::Random random(10);
  int cut = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    Example example = draw(random, {.causal = trial % 2 == 0});
    Heads weights = plain::run(example.setup).at("weights");
    for (auto& row : weights[0]) {
      for (double& x : row) x = std::trunc(x * 1000) / 1000;
    }
    example.input.expected = {plain::expected("weights", weights, 3)};
    for (const Check& one : check_of(example.input)) {
      if (one.agrees) continue;
      ++cut;
      EXPECT_EQ(one.slip_kind, "cut");
    }
  }
  EXPECT_GT(cut, kTrials);
}

TEST(Slips, SwappedDigitsAreNamedWhereTheyStand) {
  plain::Random random(11);
  int swapped = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    Example example = draw(random, {});
    ExpectedStep step = plain::expected("weights", plain::run(example.setup).at("weights"), 4);
    PrintedNumber& number = *step.heads[0][1][1];
    const auto at = static_cast<std::size_t>(random.between(2, 4));
    std::swap(number.text[at], number.text[at + 1]);
    number.value = std::stod(number.text);
    example.input.expected = {step};
    for (const Check& one : check_of(example.input)) {
      if (one.agrees) continue;
      EXPECT_EQ(one.cell, (std::vector<std::int64_t>{1, 1}));
      // Swapped digits may be off by as little as a cut.
      if (one.slip_kind != "digits_swapped") {
        EXPECT_EQ(one.also_possible.size(), 1U) << one.printed << " " << one.slip.value_or("none");
      }
      ++swapped;
    }
  }
  EXPECT_GE(swapped, kTrials / 3);
}

// A number that is wrong at random must not be explained. Measured over single wrong numbers and
// whole wrong rows, at 2 to 5 decimals.
TEST(Slips, NoiseIsNotGivenASlip) {
  plain::Random random(12);
  int wrong = 0;
  int named = 0;
  const std::vector<std::string> steps = {"queries",       "keys",          "values",  "scores",
                                          "scaled_scores", "masked_scores", "weights", "context"};
  for (int trial = 0; trial < 15 * kTrials; ++trial) {
    Example example = draw(random, {.causal = true, .several_heads = trial % 3 == 0});
    const std::string& step = steps[static_cast<std::size_t>(trial) % steps.size()];
    Heads numbers = plain::run(example.setup).at(step);
    auto& row = numbers[0].back();
    const bool whole_row = trial % 2 == 0;
    for (double& x : row) {
      x += random.number() / 2;
      if (!whole_row) break;
    }
    example.input.expected = {plain::expected(step, numbers, random.between(2, 5))};
    const std::vector<Check> checks = check_of(example.input);
    if (const Check* first = first_wrong(checks)) {
      ++wrong;
      named += first->slip_kind.has_value() ? 1 : 0;
    }
  }
  EXPECT_GT(wrong, 12 * kTrials);
  EXPECT_LE(named, 2 + 3 * wrong / 100) << named << " of " << wrong;
  RecordProperty("named", named);
}

/// Inputs and W_key of whole numbers from 0 to 2.
Example draw_whole(plain::Random& random) {
  Example example = draw(random, {});
  for (Matrix* m : {&example.setup.X, &example.setup.W_key}) {
    for (auto& row : *m) {
      for (double& x : row) x = random.between(0, 2);
    }
  }
  example.input.inputs = plain::tensor_of(example.setup.X);
  example.input.W_key = plain::tensor_of(example.setup.W_key);
  return example;
}

/// Whole numbers have too few digits to tell by; what fits is said, all of it.
TEST(Slips, OneSmallWholeNumberIsToldEverySlipThatFits) {
  plain::Random random(13);
  int several = 0;
  for (int trial = 0; trial < 300; ++trial) {
    Example example = draw_whole(random);
    Heads keys = plain::run(example.setup).at("keys");
    double& key = keys[0][1][0];
    const double term = example.setup.X[1][0] * example.setup.W_key[0][0];
    if (term == 0) continue;
    key -= term;
    example.input.expected = {plain::expected("keys", keys, 0)};
    const std::vector<Check> checks = check_of(example.input);
    const Check* wrong = first_wrong(checks);
    std::vector<std::string> kinds = wrong->also_possible;
    kinds.push_back(wrong->slip_kind.value_or("none"));
    EXPECT_NE(std::find(kinds.begin(), kinds.end(), "term_lost"), kinds.end());
    several += kinds.size() > 1 ? 1 : 0;
  }
  EXPECT_GT(several, 50);
}

TEST(Slips, ManySmallWholeNumbersAreNotExplainedByChance) {
  plain::Random random(14);
  int named = 0;
  for (int trial = 0; trial < 15 * kTrials; ++trial) {
    Example example = draw_whole(random);
    Heads keys = plain::run(example.setup).at("keys");
    for (auto& row : keys[0]) row[0] += random.between(1, 3);
    example.input.expected = {plain::expected("keys", keys, 0)};
    named += first_wrong(check_of(example.input))->slip_kind.has_value() ? 1 : 0;
  }
  EXPECT_LE(named, kTrials);
}

}  // namespace
}  // namespace foveal::trace
