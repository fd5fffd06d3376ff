// foveal check as people and scripts meet it: exit status, standard output, one line of error.

#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace foveal {
namespace {

using Check = CommandTest;
using nlohmann::json;

std::string with_scores(const std::string& scores) {
  return R"({"inputs": [[1, 0], [1, 1]], "expected": {"scores": )" + scores + "}}";
}

TEST_F(Check, EndsWith0WhereAllAgreeAnd1WhereANumberDiffers) {
  const Outcome right = run({"check", write("right.json", with_scores("[[1, 1], [1, 2]]"))});
  EXPECT_EQ(right.status, 0);
  EXPECT_EQ(right.out,
            "4 printed numbers checked. All agree, at the decimals they are printed with.\n");
  const Outcome wrong = run({"check", write("wrong.json", with_scores("[[1, 1], [null, 5]]"))});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_EQ(wrong.err, "");
  EXPECT_NE(wrong.out.find("Score(x2, x2) is printed as 5; it is 2"), std::string::npos)
      << wrong.out;
}

/// The chapter's input files print what the chapter prints (golden.Inputs): it comes out.
TEST_F(Check, AgreesWithTheChapter) {
  int files = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(FOVEAL_TEST_DATA "/../../examples/inputs")) {
    if (file.path().filename().string().rfind("ch03_", 0) != 0) continue;
    ++files;
    const Outcome outcome = run({"check", file.path().string()});
    EXPECT_EQ(outcome.status, 0) << file.path() << outcome.out << outcome.err;
  }
  EXPECT_EQ(files, 8);
}

TEST_F(Check, WritesJsonWhole) {
  const std::string file = write("wrong.json", with_scores("[[1, 7]]"));
  const Outcome outcome = run({"check", file, "--json"});
  EXPECT_EQ(outcome.status, 1);
  const json written = json::parse(outcome.out);
  EXPECT_EQ(written["schema"], "foveal.check/1");
  EXPECT_EQ(written["agrees"], false);
  EXPECT_EQ(written["checks"].size(), 2U);
  EXPECT_EQ(run({"check", file, "--json", "--out", path("out.json")}).status, 1);
  EXPECT_EQ(read(path("out.json")), outcome.out);
}

TEST_F(Check, RefusesWhatItCantCheck) {
  expect_failure({"check"}, 2, {"FILE"});
  expect_failure({"check", ""}, 4, {"empty"});
  expect_failure({"check", path("none.json")}, 4, {"none.json"});
  const std::string nothing = write("nothing.json", R"({"inputs": [[1]]})");
  expect_failure({"check", nothing}, 3, {"nothing.json: /expected: ", "add the printed numbers"});
  const auto refuse = [&](const std::string& scores, const std::vector<std::string>& parts) {
    expect_failure({"check", write("bad.json", with_scores(scores))}, 3, parts);
  };
  refuse("[[null, null]]", {"bad.json: /expected: "});
  refuse("[[1, \"x\"]]", {"bad.json: /expected/scores/0/1: ", "\"x\""});
  refuse("[[1, true]]", {"bad.json: /expected/scores/0/1: ", "true"});
  refuse("[[1, 2, 3]]", {"bad.json: /expected/scores/0: ", "length 3", "length 2"});
  refuse("[[1, 2], [3, 4], [5, 6]]", {"bad.json: /expected/scores: ", "3 rows"});
}

TEST_F(Check, SaysWhatAStepIsCalledHere) {
  const auto refuse = [&](const std::string& expected, const std::vector<std::string>& parts) {
    expect_failure({"check", write("bad.json", R"({"inputs": [[1, 0], [1, 1]], "expected": )" +
                                                   expected + "}")},
                   3, parts);
  };
  refuse(R"({"attn_weights": [[1, 0]]})",
         {"bad.json: /expected/attn_weights: ", "called \"weights\"", "rename"});
  refuse(R"({"z": [[1, 0]]})", {"/expected/z: ", "called \"context\""});
  refuse(R"({"alpha": [[1, 0]]})", {"/expected/alpha: ", "called \"weights\""});
  refuse(R"({"masked_scores": [[1, 0]]})", {"/expected/masked_scores: ", "it needs \"mask\""});
  refuse(R"({"output": [[1, 0]]})", {"/expected/output: ", "it needs \"W_out\""});
  refuse(R"({"dropped_weights": [[1, 0]]})", {"/expected/dropped_weights: ", "\"dropout\""});
  refuse(R"({"scaled_scores": [[1, 0]]})", {"/expected/scaled_scores: ", "scale is \"none\""});
  refuse(R"({"something": [[1, 0]]})", {"/expected/something: ", "unknown key", "\"scores\""});
}

TEST_F(Check, ReadsNumbersAsPeopleWriteThem) {
  const auto status = [&](const std::string& weights) {
    return run({"check",
                write("written.json",
                      R"({"inputs": [[1, 0], [1, 1]], "expected": {"weights": )" + weights + "}}")})
        .status;
  };
  // e / (e + e^1) = 1/2; e / (e + e²) = 0.2689
  EXPECT_EQ(status(R"([["1/2", "50%"], ["27%", "73.1%"]])"), 0);
  EXPECT_EQ(status(R"([["1/2", 0.5], ["26%", ".731"]])"), 1);
  EXPECT_EQ(status(R"([["1/2", 0.5], ["1/4", "3/4"]])"), 1);
  EXPECT_EQ(status(R"(["1/2", "50 %"])"), 0);  // one row without a list around it
  EXPECT_EQ(status(R"([0.5, 0.2])"), 1);
  for (const char* wrong : {"%50", "5%0", "50%%", "1/0", "/2", "1/2/3", "50% "}) {
    expect_failure(
        {"check", write("bad.json", with_scores(std::string("[[1, \"") + wrong + "\"]]"))}, 3,
        {"bad.json: /expected/scores/0/1: ", "must be a number", "24%", wrong});
  }
}

TEST_F(Check, RefusesAMillionNumbers) {
  std::string rows, numbers;
  for (int i = 0; i < 300; ++i) {
    rows += (i == 0 ? "" : ",") + std::string("[1]");
    numbers += (i == 0 ? "" : ",") + std::string("1");
  }
  std::string scores;
  for (int i = 0; i < 300; ++i) scores += (i == 0 ? "[" : ",[") + numbers + "]";
  expect_failure(
      {"check", write("many.json", R"({"inputs": [)" + rows + R"(], "expected": {"scores": [)" +
                                       scores + "]}}")},
      3, {"many.json: /expected/scores: ", "50000", "fewer rows"});
}

TEST_F(Check, AFiniteNumberForMinusInfinityIsARemarkWhereTheWeightsAgree) {
  const auto masked = [&](const std::string& fill, const std::string& weight) {
    return write(
        "fill.json",
        R"({"inputs": [[1, 0], [1, 1]], "mask": "causal", "expected": {"masked_scores": [[1, ")" +
            fill + R"("], [1, 2]], "weights": [[")" + weight + R"(", null]]}})");
  };
  const Outcome remark = run({"check", masked("-1e9", "1.0000"), "--json"});
  EXPECT_EQ(remark.status, 0);
  const json entry = json::parse(remark.out)["checks"][1];
  EXPECT_EQ(entry["agrees"], true);
  EXPECT_EQ(entry["slip_kind"], "mask_fill_value");
  EXPECT_NE(entry["slip"].get<std::string>().find("-1e9"), std::string::npos);
  const Outcome slip = run({"check", masked("-1", "0.8808"), "--json"});
  EXPECT_EQ(slip.status, 1);
  EXPECT_EQ(json::parse(slip.out)["checks"][1]["slip_kind"], "mask_fill_value");
}

TEST_F(Check, LeavesWhatStoodThere) {
  const std::string out = write("out.txt", "what stood there");
  expect_failure({"check", write("bad.json", "{"), "--out", out}, 3, {"bad.json"});
  EXPECT_EQ(read(out), "what stood there");
  const std::string file = write("right.json", with_scores("[[1, 1]]"));
  expect_failure({"check", file, "--out", path("missing/out.txt")}, 4, {"missing/out.txt"});
  expect_failure({"check", file, "--out", ""}, 4, {"name is empty"});
  expect_failure({"check", file, "--out", file}, 2, {"right.json", "is the input"});
  EXPECT_EQ(read(file), with_scores("[[1, 1]]"));
}

}  // namespace
}  // namespace foveal
