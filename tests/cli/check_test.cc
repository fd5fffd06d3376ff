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

TEST_F(Check, LeavesWhatStoodThere) {
  const std::string out = write("out.txt", "what stood there");
  expect_failure({"check", write("bad.json", "{"), "--out", out}, 3, {"bad.json"});
  EXPECT_EQ(read(out), "what stood there");
  const std::string file = write("right.json", with_scores("[[1, 1]]"));
  expect_failure({"check", file, "--out", path("missing/out.txt")}, 4, {"missing/out.txt"});
  expect_failure({"check", file, "--out", ""}, 4, {"name is empty"});
}

}  // namespace
}  // namespace foveal
