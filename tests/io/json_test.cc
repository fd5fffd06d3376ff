#include "io/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "foveal/error.h"

namespace foveal {
namespace {

std::string error_of(const std::string& text) {
  try {
    parse_json(text, "f.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "no error";
}

void expect_error(const std::string& text, const std::string& start, const std::string& part) {
  const std::string message = error_of(text);
  EXPECT_EQ(message.rfind("f.json: " + start, 0), 0U) << message;
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(ParseJson, ReadsWhatJsonAllows) {
  const auto value = parse_json(R"({"a": [1, -2.5e-3, true, null, "\u00e9\n"], "b": {}})", "f");
  EXPECT_EQ(value["a"].size(), 5U);
  EXPECT_EQ(value["a"][1].get<double>(), -2.5e-3);
  EXPECT_EQ(value["a"][4].get<std::string>(), "é\n");
  EXPECT_TRUE(value["b"].empty());
  EXPECT_EQ(parse_json(" 3 ", "f").get<int>(), 3);
  EXPECT_EQ(parse_json("18446744073709551615", "f").get<std::uint64_t>(),
            std::numeric_limits<std::uint64_t>::max());
}

TEST(ParseJson, NamesTheByteWhereTextIsNoJson) {
  expect_error("", "is empty", "");
  expect_error(" \n", "is empty", "");
  expect_error("{\"a\": [1, 2", "/a/2: byte 12 (line 1, column 12)", "unexpected end of input");
  expect_error("[1,\n 2,\n x]", "/2: byte 10 (line 3, column 2)", "invalid literal x");
  expect_error("[1] [2]", "byte 5", "expected end of input");
  expect_error("[1]x", "byte 4", "");
  expect_error("[1,]", "/1: byte 4", "unexpected ']'");
  expect_error("[NaN]", "/0: byte 2", "invalid literal NaN");
  expect_error("{\"a\": [1, {\"b\": nan}]}", "/a/1/b: byte ", "invalid literal nan");
  // Between two entries the place is that of the object.
  expect_error("{\"a\": 1, b: 2}", "byte ", "invalid literal b");
  expect_error("[-Infinity]", "/0: byte 3", "");
  expect_error("{1: 2}", "byte 2", "");
  expect_error(std::string("[1\0]", 4), "/1: byte 3", "");
}

TEST(ParseJson, SaysWhatToMend) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[1 2]", "unexpected number literal; expected a comma or ]: put a comma between them"},
      {"[1 23]", "put a comma between them"},
      {R"(["a" "b"])", "put a comma between them"},
      {"[[1] [2]]", "unexpected '['; expected a comma or ]: put a comma between them"},
      {R"({"a": [1] "b": 2})", "expected a comma or }: put a comma between them"},
      {"[1, 2,]", "unexpected ']'; expected a value: take out the comma before it"},
      {R"({"a": 1,})", "take out the comma before it"},
      {R"({"a": [1, 2)", "the text is cut off: every [ needs its ], and every { its }"},
      {R"({"a": [1, 2})", "every [ has its ], and every { its }"},
      {R"({"a" [1]})", "a colon stands between a key and its value"},
      {R"({"a" = 1})", "a colon stands between a key and its value"},
      {R"({"a":})", "a value is missing before it"},
      {"{a: 1}", "invalid literal a; expected a key in double quotes"},
      {"{'a': 1}", "texts and keys stand in double quotes"},
      {"[.5]", "a number begins with a digit"},
      {"[+5]", "a number has no plus sign"},
      {"[05]", "a number has no zero in front"},
      {"[1; 2]", "values have commas between them"},
      {"[(1, 2)]", "a list stands in [ and ]"},
      {"[1] // one", "JSON has no comments: take it out"},
      {"[True]", "invalid literal True: write true"},
      {"[None]", "invalid literal None: write null"},
      {"[NaN]", "invalid literal NaN: JSON has no such number"},
      {R"(["\d"])", "write \\\\ for a backslash"},
  };
  for (const auto& [text, mend] : cases) expect_error(text, "", mend);
}

TEST(ParseJson, KeysCannotBreakTheLineOfAnError) {
  expect_error(R"({"a\nb"])", R"(/a\nb: byte 8)", "expected ':'");
  expect_error(R"({"a\tb": 1, "a\tb": 2})", R"(/a\tb: the key)", "twice");
  // A long key is cut, inside a character too.
  error_of("{\"" + std::string(79, 'a') + "é\"]");
}

TEST(ParseJson, RefusesInvalidUtf8) {
  for (const std::string bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    expect_error("[\"a" + bad + "\"]", "/0: byte ", "UTF-8");
    expect_error("{\"" + bad + "\": 1}", "byte ", "UTF-8");
  }
  expect_error(R"(["\ud800"])", "/0: byte ", "surrogate");
  EXPECT_EQ(error_of("[1] \xff").find('\xff'), std::string::npos);
}

TEST(ParseJson, RefusesNumbersThatAreNotFinite) {
  expect_error("[1, 1e999]", "/1: byte 9", "1e999 is not finite");
  expect_error("{\"a\": -1e400}", "/a: byte ", "-1e400 is not finite");
  EXPECT_EQ(parse_json("[1e-400]", "f")[0].get<double>(), 0.0);
}

TEST(ParseJson, NamesThePointerOfADuplicateKey) {
  expect_error(R"({"a": 1, "a": 2})", "/a: ", "twice");
  expect_error(R"({"x": [0, {"b": 1, "c": [], "b": 2}]})", "/x/1/b: ", "twice");
  expect_error(R"({"a/b~c": {"": 1, "": 2}})", "/a~1b~0c/: ", "twice");
}

TEST(ParseJson, StopsAtADepthBomb) {
  const std::string arrays(1000000, '[');
  expect_error(arrays, "/0/0/0", "nested deeper than 64");
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  expect_error(objects, "/a/a/a", "nested deeper than 64");
  EXPECT_NO_THROW(parse_json(std::string(64, '[') + std::string(64, ']'), "f"));
  EXPECT_THROW(parse_json(std::string(65, '[') + std::string(65, ']'), "f"), Error);
}

TEST(ParseJson, KeepsErrorsShortWhateverTheTextHolds) {
  EXPECT_LT(error_of("[\"" + std::string(1 << 20, 'a')).size(), 300U);
  EXPECT_LT(error_of("[1" + std::string(1 << 20, '0')).size(), 300U);
  EXPECT_LT(error_of("[" + std::string(1 << 20, 'x')).size(), 300U);
  const std::string key(1 << 20, 'k');
  EXPECT_LT(error_of("{\"" + key + "\":1,\"" + key + "\":1}").size(), 300U);
}

TEST(ParseJson, FailsAtEveryTruncation) {
  const std::string whole = R"({"a": [1.5, "x\u00e9é"], "b": {"c": [true, null]}})";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(error_of(whole.substr(0, length)), "no error") << length;
  }
  EXPECT_EQ(error_of(whole), "no error");
}

TEST(JsonNumber, ReadsBackToTheSameBits) {
  std::mt19937_64 bits(7);
  std::vector<double> values = {0.0,  -0.0,
                                1.0,  -3.0,
                                1e15, 9007199254740993.0,
                                1e22, 5e-324,
                                0.1,  std::numeric_limits<double>::max()};
  for (int i = 0; i < 20000; ++i) values.push_back(std::bit_cast<double>(bits()));
  for (double value : values) {
    if (!std::isfinite(value)) continue;
    const double back = parse_json(json_number(value), "f").get<double>();
    EXPECT_EQ(std::bit_cast<std::uint64_t>(back), std::bit_cast<std::uint64_t>(value))
        << json_number(value);
  }
}

TEST(JsonNumber, IsPlainForWholeNumbersAndTextForTheRest) {
  EXPECT_EQ(json_number(4), "4");
  EXPECT_EQ(json_number(-100000), "-100000");
  EXPECT_EQ(json_number(0.27), "0.27");
  EXPECT_EQ(json_number(-std::numeric_limits<double>::infinity()), "\"-inf\"");
  EXPECT_EQ(json_number(std::numeric_limits<double>::infinity()), "\"inf\"");
  EXPECT_EQ(json_number(std::nan("")), "\"nan\"");
}

TEST(JsonString, EscapesAndRefusesWhatIsNotUtf8) {
  EXPECT_EQ(json_string("a\"b\\c\n\x01é"), R"("a\"b\\c\n\u0001é")");
  EXPECT_THROW(json_string("\xff"), Error);
}

}  // namespace
}  // namespace foveal
