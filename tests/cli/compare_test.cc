// foveal compare as people and scripts meet it; PyTorch's part with a stand-in for Python.

#include <signal.h>
#include <sys/stat.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "draw/terminal.h"
#include "draw/well_formed.h"

namespace foveal {
namespace {

using nlohmann::json;

class CompareCommand : public CommandTest {
 protected:
  /// A small comparison, whose `more` options come last.
  static std::vector<std::string> small(const std::vector<std::string>& more) {
    std::vector<std::string> all = {"compare", "--batch", "2", "--tokens",  "40", "--width",
                                    "24",      "--heads", "4", "--repeats", "2"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  /// A program in the place of Python that runs `body` in a shell.
  std::string stand_in(const std::string& body) const {
    const std::string program = write("python", "#!/bin/sh\n" + body + "\n");
    chmod(program.c_str(), 0755);
    return program;
  }
};

TEST_F(CompareCommand, NineAgreeAndAreTimed) {
  const Outcome outcome = run(small({"--json", "--where"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result["schema"], "foveal.compare/1");
  EXPECT_EQ(result["settings"]["width"], 24);
  const std::vector<std::string> names = {"causal_wrapper",
                                          "chapter",
                                          "combined_qkv",
                                          "einsum",
                                          "fused",
                                          "fused_explicit_mask",
                                          "packed_projection",
                                          "packed_projection_no_weights",
                                          "mask_expression"};
  ASSERT_EQ(result["rows"].size(), names.size());
  for (std::size_t n = 0; n < names.size(); ++n) {
    const json& row = result["rows"][n];
    EXPECT_EQ(row["variant"], names[n]);
    EXPECT_EQ(row["library"], "foveal");
    EXPECT_LE(row["max_difference"], 1e-5) << row;
    EXPECT_LE(row["max_gradient_difference"], 1e-5) << row;
    EXPECT_GT(row["forward_ms"], 0) << row;
    EXPECT_GT(row["forward_backward_ms"], 0) << row;
    EXPECT_EQ(row["repeats"], 2) << row;
    EXPECT_GT(row["peak_bytes"], 0) << row;
    double whole = 0;
    for (const auto& [operation, share] : row["where"].items()) whole += share.get<double>();
    EXPECT_NEAR(whole, 1, 1e-9) << row;
    EXPECT_TRUE(row["where"].contains("linear")) << row;
    EXPECT_EQ(row["where"].contains("attention"), n >= 4) << row;
    EXPECT_EQ(row["where"].contains("softmax"), n < 4) << row;
  }
  // Two output projections.
  EXPECT_EQ(result["rows"][6]["parameters"], result["rows"][4]["parameters"].get<int>() + 24 * 24);
}

TEST_F(CompareCommand, TheTableFits80Columns) {
  const Outcome outcome = run(small({"--where"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  int rows = 0;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(draw::terminal::width(line), 80) << line;
    if (line.rfind("packed_projection_no_weights", 0) == 0) ++rows;
  }
  EXPECT_EQ(rows, 3) << "agreement, times, where\n" << outcome.out;
}

TEST_F(CompareCommand, PicturesAndPageAreWellFormed) {
  for (const std::string theme : {"light", "dark"}) {
    const Outcome svg =
        run(small({"--svg", "--theme", theme, "--where", "--variants", "chapter,fused"}));
    ASSERT_EQ(svg.status, 0) << svg.err;
    EXPECT_EQ(draw::xml_fault(svg.out), "");
    for (const char* const text : {"Forward + backward", "chapter", "fused", " ms", "linear"}) {
      EXPECT_NE(svg.out.find(text), std::string::npos) << text;
    }
  }
  const Outcome page = run(small({"--html", "--variants", "fused", "--out", path("p.html")}));
  ASSERT_EQ(page.status, 0) << page.err;
  EXPECT_NE(read(path("p.html")).find("prefers-color-scheme:dark"), std::string::npos);
  EXPECT_EQ(names_in_folder().size(), 1U);
}

TEST_F(CompareCommand, OtherDtypes) {
  for (const std::string dtype : {"bfloat16", "float16", "float64"}) {
    const Outcome outcome = run(small({"--json", "--dtype", dtype}));
    EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
  }
}

TEST_F(CompareCommand, WrongOptionsEndWith2) {
  expect_failure({"compare", "--repeats", "0"}, 2, {"--repeats is 0", "1 or more"});
  expect_failure({"compare", "--tokens", "0"}, 2, {"--tokens is 0"});
  expect_failure({"compare", "--batch", "-1"}, 2, {"--batch is -1"});
  expect_failure({"compare", "--width", "100", "--heads", "7"}, 2, {"100", "7", "divisible"});
  expect_failure(small({"--variants", "chapter,flash"}), 2, {"'flash'", "causal_wrapper"});
  expect_failure(small({"--dtype", "int8"}), 2, {"'int8'"});
  expect_failure(small({"--compile"}), 2, {"--with torch"});
  expect_failure(small({"--with", "jax"}), 2, {"jax"});
  expect_failure(small({"--variants", "fused,fused"}), 2, {"'fused' twice"});
  expect_failure(small({"--out", path("nowhere/t.txt")}), 4, {"nowhere", "no folder"});
  expect_failure(small({"--json", "--svg"}), 2, {"give one of them"});
}

TEST_F(CompareCommand, APythonThatIsMissingOrBrokenEndsWith4) {
  const auto with = [&](const std::string& python) {
    return small({"--with", "torch", "--python", python});
  };
  expect_failure(with(path("nowhere")), 4, {"nowhere", "--python", "FOVEAL_PYTHON"});
  expect_failure(with(stand_in("echo '{\"missing\": \"no torch\", \"bytes\": 0}'")), 4,
                 {"no PyTorch", "pip install torch", "--python"});
  expect_failure(with(stand_in("echo a cause is told >&2; exit 3")), 4,
                 {"ended with status 3", "a cause is told"});
  expect_failure(with(stand_in("kill -9 $$")), 4, {"ended by signal 9"});
  // Says hello, and dies when it is asked.
  expect_failure(with(stand_in("echo '{\"version\": \"9\", \"bytes\": 0}'; sleep 0.2; exit 5")), 4,
                 {"ended with status 5"});
  expect_failure(with(stand_in("echo not json; sleep 1")), 4, {"doesn't answer", "--python"});
  expect_failure(with(stand_in("echo '{}'; sleep 1")), 4, {"doesn't answer"});
  expect_failure(with(stand_in("echo '{\"broken\": \"ImportError: lib\", \"bytes\": 0}'")), 4,
                 {"can't be imported", "ImportError: lib"});
}

/// Seconds until the process whose number stands in the file has ended; at most 5.
double seconds_to_end(const std::string& file) {
  std::string number;
  std::ifstream(file) >> number;
  double seconds = 0;
  for (; seconds < 5; seconds += 0.01) {
    std::string id, name, state;
    std::ifstream("/proc/" + number + "/stat") >> id >> name >> state;
    if (state.empty() || state == "Z") break;
    usleep(10000);
  }
  return number.empty() ? 5 : seconds;
}

/// Neither the Python nor what it has started, which knows nothing of either.
TEST_F(CompareCommand, CtrlCLeavesNothingRunning) {
  const std::string own = path("own"), started = path("started"), result = path("result.json");
  const std::string python = stand_in("sleep 60 &\necho $! > " + started + ".new\nmv " + started +
                                      ".new " + started + "\necho $$ > " + own + "\nwait");
  for (const int number : {SIGINT, SIGTERM}) {
    std::filesystem::remove(own);
    const pid_t child =
        start(small({"--with", "torch", "--python", python, "--json", "--out", result}));
    for (int waited = 0; waited < 2000 && read(own).empty(); ++waited) usleep(5000);
    usleep(200000);  // foveal may not know yet what it started
    kill(child, number);
    EXPECT_EQ(finish(child).status, 128 + number);
    EXPECT_LT(seconds_to_end(own), 4) << "the Python runs on";
    EXPECT_LT(seconds_to_end(started), 4) << "what the Python started runs on";
    EXPECT_FALSE(std::filesystem::exists(result));
    EXPECT_EQ(names_in_folder().size(), 3U) << "the stand-in, and its two numbers";
  }
}

/// What it started still holds its standard output.
TEST_F(CompareCommand, APythonThatDiesTakesWithItWhatItStarted) {
  const std::string started = path("started");
  const std::string python = stand_in("sleep 60 &\necho $! > " + started + "\nexit 3");
  const std::time_t begin = std::time(nullptr);
  expect_failure(small({"--with", "torch", "--python", python}), 4, {"ended with status 3"});
  EXPECT_LT(std::time(nullptr) - begin, 40) << "it waited for what the Python started";
  EXPECT_LT(seconds_to_end(started), 4);
}

/// As a parent may leave it: children then end without a status, unless that is undone.
TEST_F(CompareCommand, APythonsStatusIsToldWhereTheEndOfChildrenIsIgnored) {
  const std::string python = stand_in("exit 3"), said = path("said");
  std::string line = "trap '' CHLD; exec " FOVEAL_COMMAND;
  for (const std::string& word : small({"--with", "torch", "--python", python})) {
    line += " '" + word + "'";
  }
  std::system((line + " > /dev/null 2> " + said).c_str());
  EXPECT_NE(read(said).find("ended with status 3"), std::string::npos) << read(said);
}

/// Before anything is allocated: 3.2 TB of scores.
TEST_F(CompareCommand, ScoresThatCanNotFitEndWith3) {
  expect_failure({"compare", "--batch", "4", "--tokens", "10000", "--width", "2000", "--heads",
                  "2000", "--variants", "fused"},
                 3, {"scores (4, 2000, 10000, 10000)", "GB", "smaller"});
}

/// A Python with other numbers than ours: it says what it is asked for, all zeros.
TEST_F(CompareCommand, NumbersThatDifferEndWith1AndAreNotTimed) {
  const std::string python = write("python", R"(#!/usr/bin/env python3
import json, sys
out = sys.stdout.buffer
settings = json.loads(sys.stdin.buffer.readline())
sys.stdin.buffer.read(settings["bytes"])
def answer(reply, data=b""):
    out.write(json.dumps(dict(reply, bytes=len(data))).encode() + b"\n" + data)
    out.flush()
answer({"version": "0"})
for line in sys.stdin.buffer:
    if line.startswith(b"answers"):
        shape = [2, 40, 24]
        header = json.dumps({"output": {"dtype": "F32", "shape": shape, "data_offsets": [0, 7680]}}).encode()
        header += b" " * (-len(header) % 8)
        answer({"parameters": 1}, len(header).to_bytes(8, "little") + header + bytes(7680))
    elif line.startswith(b"peak"):
        answer({"failed": "it has no memory"})
    else:
        answer({"seconds": 1})
)");
  chmod(python.c_str(), 0755);
  const Outcome outcome =
      run(small({"--with", "torch", "--python", python, "--json", "--variants", "fused"}));
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  const json rows = json::parse(outcome.out)["rows"];
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_GT(rows[1]["max_difference"], 0.01);
  for (const json& row : rows) EXPECT_TRUE(row["forward_ms"].is_null()) << row;
  const Outcome text = run(small({"--with", "torch", "--python", python, "--variants", "fused"}));
  EXPECT_EQ(text.status, 1);
  EXPECT_NE(text.out.find("nothing was timed"), std::string::npos) << text.out;
}

/// What PyTorch can't do is a note, ours are timed all the same.
TEST_F(CompareCommand, ARowThatFailsSaysWhy) {
  const std::string python = stand_in(
      "head -n 1 >/dev/null\necho '{\"version\": \"0\", \"bytes\": 0}'\n"
      "while true; do echo '{\"failed\": \"RuntimeError: it is tired\", \"bytes\": 0}'; done");
  const Outcome outcome =
      run(small({"--with", "torch", "--python", python, "--json", "--variants", "fused"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json rows = json::parse(outcome.out)["rows"];
  EXPECT_EQ(rows[1]["note"], "RuntimeError: it is tired");
  EXPECT_TRUE(rows[1]["forward_ms"].is_null());
  EXPECT_GT(rows[0]["forward_ms"], 0);
  const Outcome text = run(small({"--with", "torch", "--python", python, "--variants", "fused"}));
  EXPECT_NE(text.out.find("torch's fused: RuntimeError: it is tired"), std::string::npos)
      << text.out;
}

}  // namespace
}  // namespace foveal
