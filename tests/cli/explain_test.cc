// foveal explain as people and scripts meet it: exit status, standard output, one line of error.

#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/command.h"

namespace foveal {
namespace {

using Explain = CommandTest;
using nlohmann::json;

const std::string tiny = R"({"tokens": ["a", "b", "a"], "inputs": [[1, 0], [0, 1], [1, 1]]})";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Explain, TellsItsUsage) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"explain", "--help"}, {"--version"}}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_TRUE(contains(outcome.out, "foveal") || contains(outcome.out, "explain"));
  }
}

TEST_F(Explain, EndsWith2WhereTheCommandLineIsWrong) {
  expect_failure({}, 2, {"foveal: ", "explain"});
  expect_failure({"explian"}, 2, {"explian"});
  expect_failure({"explain", "--colour"}, 2, {"--colour"});
  expect_failure({"explain", "--format", "pdf"}, 2, {"pdf"});
  expect_failure({"explain", "--query"}, 2, {"--query"});
  expect_failure({"explain", "a.json", "b.json"}, 2, {"b.json"});
  expect_failure({"explain", "--json", "--format", "csv"}, 2, {});
  expect_failure({"explain", "--cell", "weights(0,2)"}, 2, {"weights(0,2)", "doesn't parse"});
  expect_failure({"explain", "--cell", "weights[0,2]", "--format", "csv"}, 2, {"--cell"});
}

TEST_F(Explain, ShowsTheWorkedExampleWithoutAFile) {
  const Outcome outcome = run({"explain"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(contains(outcome.out, "scores[0,2] = 2·1 + 1·1 = 3"));
  EXPECT_TRUE(contains(outcome.out, "→ 0 The  0.2447  0.6652  0.0900"));
  EXPECT_FALSE(contains(outcome.out, "\x1b"));
  EXPECT_EQ(run({"explain"}).out, outcome.out);
}

TEST_F(Explain, SaysFirstWhereToGoFromTheWorkedExample) {
  std::istringstream out(run({"explain"}).out);
  std::string line;
  for (int i = 0; i < 4; ++i) std::getline(out, line);
  const std::string command = "  foveal explain ";
  ASSERT_EQ(line.rfind(command, 0), 0U) << line;
  const std::string file = FOVEAL_TEST_DATA "/../../" + line.substr(command.size());
  EXPECT_EQ(run({"explain", file}).status, 0);
  const Outcome check = run({"check", file});
  EXPECT_EQ(check.status, 0) << check.out;  // a correct run, and a scaled one
  EXPECT_EQ(json::parse(run({"explain", file, "--json"}).out)["settings"]["scale"], "sqrt");
}

TEST_F(Explain, WritesJsonAndCsv) {
  const Outcome as_json = run({"explain", "--json"});
  EXPECT_EQ(json::parse(as_json.out)["schema"], "foveal.trace/1");
  EXPECT_EQ(run({"explain", "--format", "json"}).out, as_json.out);
  EXPECT_EQ(run({"explain", "--format", "csv"}).out.rfind("step,head,row,column,value\n", 0), 0U);
}

TEST_F(Explain, FollowsTheQueryAskedFor) {
  const std::string file = write("a.json", tiny);
  EXPECT_TRUE(contains(run({"explain", file}).out, "→ 0 a"));
  const std::string causal =
      write("causal.json", tiny.substr(0, tiny.size() - 1) + R"(, "mask": "causal"})");
  EXPECT_TRUE(contains(run({"explain", causal}).out, "→ 2 a"));
  EXPECT_TRUE(contains(run({"explain", causal, "--query", "b"}).out, "→ 1 b"));
  EXPECT_TRUE(contains(run({"explain", file, "--query", "b"}).out, "→ 1 b"));
  EXPECT_TRUE(contains(run({"explain", file, "--query", "#2"}).out, "→ 2 a"));
  expect_failure({"explain", file, "--query", "#9"}, 3, {"#9", "#0 to #2"});
  expect_failure({"explain", file, "--query", "#99999999999999999999"}, 3, {"#0 to #2"});
  expect_failure({"explain", file, "--query", ""}, 3, {"query ''"});
  expect_failure({"explain", file, "--query", "cat"}, 3, {"'cat'", "a, b"});
  expect_failure({"explain", file, "--query", "a"}, 3, {"#0, #2"});
}

TEST_F(Explain, WritesOutOneCell) {
  const Outcome cell = run({"explain", "--cell", "weights[0,2]"});
  EXPECT_EQ(cell.status, 0);
  EXPECT_EQ(cell.out,
            "weights[0,2] = e^scores[0,2] / Σ_j e^scores[0,j]\n"
            "             = e^3 / (e^4 + e^5 + e^3) = 0.0900\n");
  for (const char* name : {"P[0,2]", "α[0,2]", "attn_weights[0,2]"}) {
    EXPECT_EQ(run({"explain", "--cell", name}).out, cell.out) << name;
  }
  const json as_json = json::parse(run({"explain", "--cell", "scores[0,2]", "--json"}).out);
  EXPECT_EQ(as_json["value"], 3);
  EXPECT_EQ(as_json["numbers"], "2·1 + 1·1 = 3");
  EXPECT_EQ(as_json["sources"].size(), 4U);
  expect_failure({"explain", "--cell", "weights[0,3]"}, 3, {"weights[0,3]", "(3, 3)"});
  expect_failure({"explain", "--cell", "weights[0,0,0]"}, 3, {"weights[0,0,0]"});
  expect_failure({"explain", "--cell", "wieghts[0,0]"}, 3, {"wieghts", "weights"});
}

// U+0378 is no character yet, so no font has it.
TEST_F(Explain, SaysWhichCharactersNoFontHas) {
  const std::string file =
      write("a.json", "{\"tokens\": [\"\u0378\", \"b\"], \"inputs\": [[1], [2]]}");
  const Outcome outcome = run({"explain", file, "--format", "png", "--out", path("a.png")});
  if (outcome.status == 4) GTEST_SKIP() << outcome.err;  // without rsvg-convert or fonts
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "U+0378")) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
  EXPECT_EQ(read(path("a.png")).substr(1, 3), "PNG");
}

TEST_F(Explain, NamesFilePlaceAndRuleOfBadInput) {
  const auto refuse = [&](const std::string& text, const std::vector<std::string>& parts) {
    const std::string file = write("bad.json", text);
    std::vector<std::string> all = parts;
    all.push_back("bad.json");
    expect_failure({"explain", file}, 3, all);
  };
  refuse("", {"empty"});
  refuse("{\"inputs\": [[1, 2", {"byte 18"});
  refuse(std::string(100000, '['), {"64 levels"});
  refuse("{\"inputs\": [[1, NaN]]}", {"/inputs/0/1:", "byte 17", "NaN"});
  refuse("{\"inputs\": [[1, 1e999]]}", {"/inputs/0/1:", "1e999", "not finite"});
  refuse("{\"inputs\": [[1, 2], [3]]}", {"/inputs/1:", "length 1", "length 2"});
  refuse("{\"inputs\": [[1, \"2\"]]}", {"/inputs/0/1:", "number"});
  refuse("{\"inputs\": [[1]], \"inputs\": [[1]]}", {"/inputs:", "twice"});
  refuse("{\"inputs\": [[1]], \"W_q\": [[1]]}", {"/W_q:", "unknown key"});
  refuse("{\"inputs\": [[1]], \"tokens\": [\"\xff\"]}", {"UTF-8"});
  refuse("{\"inputs\": [[1]], \"mask\": \"window(2)\"}", {"/mask:", "expected ','"});
  refuse("{\"inputs\": [[1]], \"mask\": \"prefix(2)\"}", {"/mask:", "prefix"});
}

TEST_F(Explain, EndsWith4WhereAFileCantBeRead) {
  expect_failure({"explain", path("none.json")}, 4, {"none.json"});
  expect_failure({"explain", path("")}, 4, {"folder"});
  // An empty name is a slip in a script, not a wish for the worked example.
  expect_failure({"explain", ""}, 4, {"empty"});
}

TEST_F(Explain, KeepsErrorsOnOneHarmlessLine) {
  expect_failure({"explain", path("a\nb\x1b[31m.json")}, 4, {"a␊b␛[31m.json"});
  expect_failure({"explain", "--query", "no\nsuch"}, 3, {"no␊such"});
}

TEST_F(Explain, RefusesWhatCantFitBeforeItAllocates) {
  std::string text = "{\"inputs\": [[1]";
  for (int i = 1; i < 1000000; ++i) text += ",[1]";
  const std::string file = write("long.json", text + "]}");
  expect_failure({"explain", file}, 3, {"long.json: /inputs: ", "1000000 tokens"});
}

TEST_F(Explain, WritesOutWholeOrNotAtAll) {
  const std::string out = path("out.json");
  EXPECT_EQ(run({"explain", "--json", "--out", out}).status, 0);
  EXPECT_EQ(read(out), run({"explain", "--json"}).out);
  EXPECT_EQ(names_in_folder(), std::vector<std::string>{"out.json"});

  write("out.json", "what stood there");
  expect_failure({"explain", write("bad.json", "{"), "--out", out}, 3, {"bad.json"});
  EXPECT_EQ(read(out), "what stood there");
  expect_failure({"explain", "--out", path("missing/out.txt")}, 4, {"missing/out.txt"});
  expect_failure({"explain", "--out", path("")}, 4, {"folder"});
  expect_failure({"explain", "--out", ""}, 4, {"name is empty"});
  EXPECT_EQ(names_in_folder().size(), 2U);
}

TEST_F(Explain, RefusesToReplaceItsInput) {
  const std::string file = write("a.json", tiny);
  std::filesystem::create_symlink(file, path("link.json"));
  for (const std::string& out : {file, path("./a.json"), path("link.json")}) {
    expect_failure({"explain", file, "--out", out}, 2, {"is the input", "another file"});
  }
  expect_failure({"explain", path("link.json"), "--format", "svg", "--out", file}, 2,
                 {"is the input"});
  EXPECT_EQ(read(file), tiny);
  EXPECT_EQ(run({"explain", file, "--out", path("b.json")}).status, 0);
  EXPECT_EQ(run({"explain", file, "--out", path("b.json")}).status, 0);
}

TEST_F(Explain, EndsWith130OnCtrlCAndLeavesNothing) {
  // It waits for someone to write into the pipe.
  const std::string pipe = path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const pid_t child = start({"explain", pipe, "--out", path("out.txt")});
  ASSERT_GT(child, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  kill(child, SIGINT);
  EXPECT_EQ(finish(child).status, 130);
  EXPECT_EQ(names_in_folder(), std::vector<std::string>{"pipe"});
}

TEST_F(Explain, SaysSoWhereTheDiskIsFull) {
  struct stat before, after;
  if (stat("/dev/full", &before) != 0) GTEST_SKIP() << "no /dev/full here";
  const Outcome outcome = run({"explain"}, "/dev/full");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_TRUE(contains(outcome.err, "No space left")) << outcome.err;
  expect_failure({"explain", "--out", "/dev/full"}, 4, {"/dev/full", "No space left"});
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"explain", "--help"}, {"--version"}}) {
    const Outcome help = run(arguments, "/dev/full");
    EXPECT_EQ(help.status, 4);
    EXPECT_TRUE(contains(help.err, "No space left")) << help.err;
  }
  ASSERT_EQ(stat("/dev/full", &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_TRUE(S_ISCHR(after.st_mode));
}

}  // namespace
}  // namespace foveal
