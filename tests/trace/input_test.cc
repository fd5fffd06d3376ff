#include "trace/input/input.h"

#include <gtest/gtest.h>

#include <cmath>

#include "foveal/error.h"
#include "trace/input/query.h"
#include "trace/run/arithmetic.h"
#include "trace/run/record.h"
#include "trace/views/views.h"

namespace foveal::trace {
namespace {

/// The start and a part of the error that `json` must give.
void expect_error(const std::string& json, const std::string& start, const std::string& part) {
  try {
    parse_input(json, "f.json");
    ADD_FAILURE() << "no error for " << json;
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::data) << message;
    EXPECT_EQ(message.rfind("f.json: " + start, 0), 0U) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

/// The same for one more key beside inputs (3, 2) and W (2, 4).
void expect_error_of(const std::string& key, const std::string& value, const std::string& place,
                     const std::string& part) {
  expect_error(R"({"inputs": [[1, 2], [3, 4], [5, 6]], "W_query": [[1, 2, 3, 4], [5, 6, 7, 8]],
    "W_key": [[1, 2, 3, 4], [5, 6, 7, 8]], "W_value": [[1, 2, 3, 4], [5, 6, 7, 8]], ")" +
                   key + "\": " + value + "}",
               place + ": ", part);
}

TEST(ParseInput, FillsInWhatIsNotGiven) {
  const Input input = parse_input(R"({"inputs": [[1, 2], [3, 4]]})", "f");
  EXPECT_EQ(input.tokens, (std::vector<std::string>{"x1", "x2"}));
  EXPECT_EQ(input.inputs.to_vector(), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(input.settings.scale.kind, Scale::Kind::none);
  EXPECT_EQ(input.settings.num_heads, 1);
  EXPECT_EQ(input.settings.mask, "none");
  EXPECT_FALSE(input.settings.dropout || input.W_query.defined() || !input.expected.empty());
  const Input with_weights =
      parse_input(R"({"inputs": [[1]], "W_query": [[1]], "W_key": [[1]], "W_value": [[1]]})", "f");
  EXPECT_EQ(with_weights.settings.scale.kind, Scale::Kind::sqrt);
}

TEST(ParseInput, TakesAnyMaskExpression) {
  const auto mask = [](const std::string& text, std::string* kept = nullptr) {
    const Input input =
        parse_input("{\"inputs\": [[1], [2], [3]], \"mask\": \"" + text + "\"}", "f",
                    [](const std::string&) { return Tensor::ones({1, 3}, DType::boolean); });
    if (kept != nullptr) *kept = input.settings.mask;
    const Record record = run(input);
    const Step* step = find_step(record, StepName::mask);
    return step == nullptr ? std::vector<double>{} : step->data.to_vector();
  };
  std::string kept;
  const std::vector<double> causal = {1, 0, 0, 1, 1, 0, 1, 1, 1};
  EXPECT_EQ(mask("causal & window(1, 0)", &kept), (std::vector<double>{1, 0, 0, 1, 1, 0, 0, 1, 1}));
  EXPECT_EQ(kept, "causal & window(1, 0)");
  EXPECT_EQ(mask("document([0, 0, 1])"), (std::vector<double>{1, 1, 0, 1, 1, 0, 0, 0, 1}));
  EXPECT_EQ(mask("padding([2]) | prefix(0)"), (std::vector<double>{1, 1, 0, 1, 1, 0, 1, 1, 0}));
  EXPECT_EQ(mask("!dense(a.npy)"), std::vector<double>(9, 0));
  EXPECT_EQ(mask("causal(top_left)"), causal);
  EXPECT_EQ(mask("causal()", &kept), causal);
  EXPECT_EQ(kept, "causal");
  EXPECT_EQ(mask("none()", &kept), std::vector<double>{});
  EXPECT_EQ(kept, "none");
}

TEST(ParseInput, ShowsAMaskExpressionInTheViews) {
  const Input input = parse_input("{\"inputs\": [[1], [2], [3]], \"mask\": \"window(1, 0)\"}", "f");
  const Record record = run(input, 2);
  const Arithmetic cell = arithmetic(record, StepName::mask, {2, 0});
  EXPECT_EQ(cell.letters, "mask[2,0] = window(1, 0) with i = 2, j = 0");
  EXPECT_EQ(cell.numbers, "false");
  EXPECT_NE(json_view(record).find("window(1, 0)"), std::string::npos);
  EXPECT_NE(text_view(record).find("mask window(1, 0)"), std::string::npos);
  EXPECT_EQ(find_step(record, StepName::weights)->data.at({2, 0}), 0);
}

TEST(ParseInput, ReadsEverySetting) {
  const Input input = parse_input(
      R"({"schema": "foveal.input/1", "inputs": [[1, 2], [3, 4]], "num_heads": 2, "scale": 0.5,
          "mask": [[true, false], [true, true]],
          "dropout": {"p": 0.25, "seed": 18446744073709551615},
          "W_out": [[1, 2, 3], [4, 5, 6]], "b_out": [7, 8, 9]})",
      "f");
  EXPECT_EQ(input.settings.num_heads, 2);
  EXPECT_EQ(input.settings.scale.kind, Scale::Kind::factor);
  EXPECT_EQ(input.settings.scale.factor, 0.5);
  EXPECT_EQ(input.settings.mask, "rows");
  EXPECT_EQ(input.mask_rows.to_vector(), (std::vector<double>{1, 0, 1, 1}));
  EXPECT_EQ(input.settings.dropout->seed, 18446744073709551615U);
  EXPECT_EQ(to_string(input.W_out.shape()), "(2, 3)");
}

TEST(ParseInput, NamesThePlaceAndTheRule) {
  expect_error("[]", "must be an object", "a list");
  expect_error("{}", "has no key \"inputs\"", "");
  expect_error(R"({"inputs": []})", "/inputs: ", "at least one row");
  expect_error(R"({"inputs": [[]]})", "/inputs/0: ", "at least one number");
  expect_error(R"({"inputs": [1]})", "/inputs/0: ", "list of numbers, not 1");
  expect_error(R"({"inputs": {"a": 1}})", "/inputs: ", "an object");
  expect_error(R"({"inputs": [[1, 2], [3, 4, 5]]})", "/inputs/1: ", "has length 3 but row 0");
  expect_error(R"({"inputs": [[1, null]]})", "/inputs/0/1: ", "null");
  expect_error(R"({"inputs": [[true]]})", "/inputs/0/0: ", "true");
  expect_error(R"({"inputs": [[1]], "Inputs": [[1]]})", "/Inputs: ", "unknown key");
  expect_error(R"({"inputs": [[1]], "a/b": 1})", "/a~1b: ", "unknown key");
  expect_error_of("schema", "\"foveal.input/2\"", "/schema", "foveal.input/1");
  expect_error_of("tokens", "[\"a\"]", "/tokens", "has length 1 but inputs has 3");
  expect_error_of("tokens", "[\"a\", 2, \"c\"]", "/tokens/1", "a text, not 2");
  expect_error_of("b_query", "[1]", "/b_query", "(1)");
  expect_error_of("num_heads", "3", "/num_heads", "4 columns");
  expect_error_of("num_heads", "0", "/num_heads", "whole number from 1");
  expect_error_of("num_heads", "2.0", "/num_heads", "whole number");
  expect_error_of("num_heads", "18446744073709551615", "/num_heads", "whole number");
  expect_error_of("scale", "\"sqr\"", "/scale", "\"sqr\"");
  expect_error_of("scale", "null", "/scale", "null");
  expect_error_of("mask", "\"windw(2, 0)\"", "/mask", "character 0");
  expect_error_of("mask", "\"prefix(9)\"", "/mask", "prefix");
  expect_error_of("mask", "\"dense(none.npy)\"", "/mask", "files can't be read here");
  expect_error_of("mask", "1", "/mask", "a mask expression");
  expect_error_of("mask", "[[true, true, true]]", "/mask", "1 rows");
  expect_error_of("mask", "[[true, true, true], [true], []]", "/mask/1", "length 1");
  expect_error_of("mask", "[[true, true, 1], [], []]", "/mask/0/2", "true or false, not 1");
  expect_error_of("dropout", "0.5", "/dropout", "an object");
  expect_error_of("dropout", "{\"p\": 0.5}", "/dropout", "\"seed\"");
  expect_error_of("dropout", "{\"p\": 1.5, \"seed\": 1}", "/dropout/p", "1.5");
  expect_error_of("dropout", "{\"p\": 0.5, \"seed\": -1}", "/dropout/seed", "-1");
  expect_error_of("dropout", "{\"p\": 0.5, \"seed\": 1, \"q\": 1}", "/dropout/q", "unknown");
  expect_error_of("W_out", "[[1]]", "/W_out", "4 rows");
  expect_error_of("b_out", "[1]", "/b_out", "without W_out");
}

TEST(ParseInput, WantsTheThreeWTogetherAndFitting) {
  expect_error(R"({"inputs": [[1]], "W_query": [[1]]})", "/W_query: ", "\"W_key\", \"W_value\"");
  expect_error(R"({"inputs": [[1]], "b_key": [1]})", "/b_key: ", "without W_key");
  expect_error(R"({"inputs": [[1, 2]], "W_query": [[1]], "W_key": [[1]], "W_value": [[1]]})",
               "/W_query: ", "needs 2 rows");
  expect_error(R"({"inputs": [[1]], "W_query": [[1]], "W_key": [[1, 2]], "W_value": [[1]]})",
               "/W_key: ", "equally wide");
}

TEST(ParseInput, ReadsPrintedNumbersWithTheirDecimals) {
  const Input input = parse_input(
      R"({"inputs": [[1, 2], [3, 4]], "expected": {"context": [["0.270", null]],
          "scores": [[5, 0.25], ["-inf", 1e-7]]}})",
      "f");
  ASSERT_EQ(input.expected.size(), 2U);
  EXPECT_TRUE(input.expected[0].name == StepName::scores);  // the order of steps, not of the file
  const auto& scores = input.expected[0].heads.at(0);
  EXPECT_EQ(scores[0][0]->decimals, 0);
  EXPECT_EQ(scores[0][1]->decimals, 2);
  EXPECT_EQ(scores[1][0]->value, -INFINITY);
  EXPECT_EQ(scores[1][1]->decimals, 7);
  const auto& context = input.expected[1].heads.at(0);
  EXPECT_EQ(context[0][0]->decimals, 3);
  EXPECT_EQ(context[0][0]->value, 0.27);
  EXPECT_EQ(context[0][0]->text, "0.270");
  EXPECT_FALSE(context[0][1]);
}

TEST(ParseInput, JsonNumbersHaveTheDecimalsThatWereTyped) {
  struct Case {
    const char* text;
    double value;
    int decimals;
  };
  for (const Case& c : {Case{"0.2000", 0.2, 4},
                        {"0.20", 0.2, 2},
                        {"-0.10", -0.1, 2},
                        {"-0.0000", -0.0, 4},
                        {"2.0", 2, 1},
                        {"2", 2, 0},
                        {"-7", -7, 0},
                        {"1e-2", 0.01, 2},
                        {"2.50e1", 25, 1},
                        {"2.50E+1", 25, 1},
                        {"1.50e-3", 0.0015, 5},
                        {"12e3", 12000, 0},
                        {"18446744073709551616", 18446744073709551616.0, 0},
                        {"0.1000000000000000055511151231257827021181583404541015625", 0.1, 55}}) {
    const Input input = parse_input(
        std::string(R"({"inputs": [[1]], "expected": {"scores": [[)") + c.text + "]]}}", "f");
    const PrintedNumber number = *input.expected.at(0).heads.at(0).at(0).at(0);
    EXPECT_EQ(number.value, c.value) << c.text;
    EXPECT_EQ(std::signbit(number.value), std::signbit(c.value)) << c.text;
    EXPECT_EQ(number.decimals, c.decimals) << c.text;
    EXPECT_EQ(number.text, c.text);
  }
  const std::string begin = R"({"inputs": [[1]], "expected": {"scores": )";
  expect_error(begin + "[[0." + std::string(500, '1') + "]]}}", "/expected/scores/0/0: ", "digits");
  expect_error(begin + "[[1e-401]]}}", "/expected/scores/0/0: ", "exponent");
  // Where no number may stand, errors quote what was typed.
  expect_error(begin + "0.20}}", "/expected/scores: ", "not 0.20");
  expect_error(R"({"inputs": [[1]], "expected": 2.50e1})", "/expected: ", "not 2.50e1");
}

TEST(ParseInput, ReadsDecimalTextAsBooksPrintIt) {
  struct Case {
    const char* text;
    double value;
    int decimals;
  };
  for (const Case& c : {Case{"1.", 1, 0},
                        {".5", 0.5, 1},
                        {"-0.27", -0.27, 2},
                        {"−0.27", -0.27, 2},
                        {"+3", 3, 0},
                        {"1.5e-3", 0.0015, 4},
                        {"1.25e+1", 12.5, 1},
                        {"12e3", 12000, 0}}) {
    const Input input = parse_input(
        std::string(R"({"inputs": [[1]], "expected": {"scores": [[")") + c.text + "\"]]}}", "f");
    const PrintedNumber number = *input.expected.at(0).heads.at(0).at(0).at(0);
    EXPECT_EQ(number.value, c.value) << c.text;
    EXPECT_EQ(number.decimals, c.decimals) << c.text;
  }
  for (const char* text : {"", ".", "1,5", "0x10", "1e", "1e+", "e5", "1.2.3", " 1", "1 ", "abc",
                           "--1", "−", "−-1", "1e999999999999", "infinity", "1e999"}) {
    expect_error(std::string(R"({"inputs": [[1]], "expected": {"scores": [[")") + text + "\"]]}}",
                 "/expected/scores/0/0: ", "must be a number");
  }
}

TEST(ParseInput, HoldsPrintedNumbersToTheShapesOfTheSteps) {
  const std::string heads =
      R"({"inputs": [[1, 2], [3, 4]], "num_heads": 2, "expected": {"scores": )";
  EXPECT_NO_THROW(parse_input(heads + "[[[1, 2]], []]}}", "f"));
  expect_error(heads + "[[[1, 2]]]}}", "/expected/scores: ", "one list a head");
  expect_error(heads + "[[[1, 2, 3]], []]}}", "/expected/scores/0/0: ", "length 3");
  expect_error(heads + "[[[1, 2], [1, 2], [1, 2]], []]}}", "/expected/scores/0: ", "3 rows");
  expect_error(R"({"inputs": [[1]], "expected": {"mask": [[true]]}})",
               "/expected/mask: ", "it needs \"mask\"");
  expect_error(R"({"inputs": [[1]], "expected": {"scores": [[[1]]]}})",
               "/expected/scores/0/0: ", "a list");
}

TEST(WorkedExample, IsTheOneInTheExamples) {
  const Input built_in = worked_example();
  const Input file = read_input(FOVEAL_TEST_DATA "/../../examples/inputs/the_cat_sat.json");
  EXPECT_EQ(built_in.tokens, file.tokens);
  EXPECT_EQ(built_in.W_key.to_vector(), file.W_key.to_vector());
  EXPECT_EQ(built_in.settings.scale.kind, Scale::Kind::none);
  EXPECT_EQ(built_in.expected.size(), 5U);
}

TEST(FindQuery, TakesANumberOrAToken) {
  const Input input =
      parse_input(R"({"inputs": [[1], [2], [3], [4]], "tokens": ["a", "b", "a", "#x"]})", "f");
  EXPECT_EQ(find_query(input, "#2"), 2);
  EXPECT_EQ(find_query(input, "b"), 1);
  EXPECT_EQ(find_query(input, "#x"), 3);
  for (const char* text : {"#4", "#18446744073709551616", "a", "c", "", "#"}) {
    EXPECT_THROW(find_query(input, text), Error) << text;
  }
}

}  // namespace
}  // namespace foveal::trace
