// foveal attend and targets as people and scripts meet them: files, JSON, options. The numbers
// themselves are held to NumPy by tests/python/attend_compare.py.

#include <nlohmann/json.hpp>

#include "cli/attend.h"
#include "foveal/safetensors.h"

namespace foveal {
namespace {

using nlohmann::json;

TEST_F(Attend, WritesOutputLseAndWeights) {
  const std::string o = path("o.npy"), l = path("l.npy"), p = path("p.npy");
  const Outcome outcome =
      run(with({"--out", o, "--lse", l, "--weights", p, "--mask", "causal(bottom_right)"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out + outcome.err, "");
  const AttentionResult want = expected({.mask = causal(Corner::bottom_right)});
  EXPECT_TRUE(equal(load_npy(o), want.output));
  EXPECT_TRUE(equal(load_npy(l), want.lse));
  EXPECT_TRUE(equal(load_npy(p), want.weights));
  EXPECT_EQ(names_in_folder().size(), 6U);
}

TEST_F(Attend, TakesEveryOptionOfTheLibrary) {
  AttentionOptions options{.mask = !prefix(2), .scale = -0.5, .softcap = 2};
  options.bias = pattern({6, 9});
  options.alibi_slopes = pattern({4});
  options.sinks = pattern({4});
  options.dropout = 0.25;
  options.seed = 18446744073709551615U;
  const Outcome outcome = run(with({"--mask",     "!prefix(2)",
                                    "--scale",    "-0.5",
                                    "--softcap",  "2",
                                    "--bias",     save("b", options.bias),
                                    "--alibi",    save("a", options.alibi_slopes),
                                    "--sinks",    save("s", options.sinks),
                                    "--dropout",  "0.25",
                                    "--seed",     "18446744073709551615",
                                    "--threads",  "3",
                                    "--target",   "portable",
                                    "--strict",   "--out",
                                    path("o.npy")}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  options.target = "portable";
  EXPECT_TRUE(equal(load_npy(path("o.npy")), expected(options).output));
}

TEST_F(Attend, GivesTwoAxesBackWhereItGotTwo) {
  q_ = save("q", pattern({6, 8}));
  k_ = save("k", pattern({9, 8}));
  v_ = save("v", pattern({9, 5}));
  const Outcome outcome =
      run(with({"--out", path("o.npy"), "--lse", path("l.npy"), "--weights", path("p.npy"),
                "--json", "--statistics", "top_k=2,entropy,column_mass,rows=[5]"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(load_npy(path("o.npy")).shape(), (Shape{6, 5}));
  EXPECT_EQ(load_npy(path("l.npy")).shape(), (Shape{6}));
  EXPECT_EQ(load_npy(path("p.npy")).shape(), (Shape{6, 9}));
  const json statistics = json::parse(outcome.out)["statistics"];
  EXPECT_EQ(statistics["entropy"].size(), 6U);
  EXPECT_EQ(statistics["column_mass"].size(), 9U);
  EXPECT_EQ(statistics["rows"][0].size(), 9U);
  EXPECT_EQ(statistics["top_k"]["keys"][5].size(), 2U);
  expect_failure({"attend", q_, save("k4", pattern({1, 1, 9, 8})), v_, "--json"}, 3,
                 {"k4.npy", "alike"});
  expect_failure({"attend", q_, k_, save("v3", pattern({1, 9, 8})), "--json"}, 3,
                 {"v3.npy", "(1, 9, 8)"});
}

TEST_F(Attend, WritesJson) {
  const Outcome outcome = run(with(
      {"--json", "--threads", "2", "--mask", "prefix(0)", "--statistics", " maximum , top_k=3"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result["schema"], "foveal.attend/1");
  EXPECT_EQ(result["shape"],
            (json{{"B", 2}, {"H", 4}, {"H_kv", 2}, {"L_q", 6}, {"L_k", 9}, {"D", 8}, {"D_v", 5}}));
  EXPECT_EQ(result["dtype"], "float32");
  EXPECT_EQ(result["threads"], 2);
  EXPECT_GT(result["median_ms"].get<double>(), 0);
  EXPECT_EQ(result["statistics"]["top_k"]["keys"][1][3][5], (json{-1, -1, -1}));
  EXPECT_EQ(result["statistics"]["maximum"][1][3][5], 0);
  EXPECT_FALSE(result["statistics"].contains("entropy"));
  EXPECT_FALSE(result["warnings"].empty());
  EXPECT_EQ(json::parse(run(with({"--json"})).out)["warnings"], json::array());
}

TEST_F(Attend, TakesSizesOfZero) {
  for (const auto& [query, key, size] : {std::tuple(Shape{1, 0, 6, 8}, Shape{1, 0, 9, 8}, 5),
                                         {Shape{0, 4, 6, 8}, {0, 2, 9, 8}, 5},
                                         {{2, 4, 0, 8}, {2, 2, 9, 8}, 5},
                                         {{2, 4, 6, 8}, {2, 2, 0, 8}, 5},
                                         {{2, 4, 6, 8}, {2, 2, 9, 8}, 0}}) {
    Shape value = key, output = query;
    value[3] = output[3] = size;
    q_ = save("q", pattern(query));
    k_ = save("k", pattern(key));
    v_ = save("v", pattern(value));
    const Outcome plan = run(with({"--plan"}));
    EXPECT_EQ(plan.status, 0) << plan.err;
    const Outcome outcome = run(with({"--out", path("o.npy"), "--lse", path("l.npy"), "--json",
                                      "--statistics", "top_k=2,column_mass"}));
    EXPECT_EQ(outcome.status, 0) << to_string(query) << outcome.err;
    EXPECT_EQ(load_npy(path("o.npy")).shape(), output);
    EXPECT_TRUE(json::accept(outcome.out)) << outcome.out;
  }
}

TEST_F(Attend, PlansWithoutRunning) {
  const Outcome words = run(with({"--plan", "--out", path("o.npy"), "--target", "portable"}));
  EXPECT_EQ(words.status, 0) << words.err;
  EXPECT_NE(words.out.find("target portable: asked for"), std::string::npos) << words.out;
  EXPECT_EQ(names_in_folder().size(), 3U);
  const Outcome as_json = run(with({"--plan", "--json", "--dtype", "bfloat16"}));
  EXPECT_EQ(json::parse(as_json.out)["schema"], "foveal.plan/1");
  EXPECT_EQ(json::parse(as_json.out)["dtype"], "bfloat16");
}

TEST_F(Attend, TheTargetIsTheCommandLinesOrElseTheEnvironments) {
  const char* const variable = std::getenv("FOVEAL_TARGET");
  const std::string was = variable == nullptr ? "" : variable;
  setenv("FOVEAL_TARGET", "portable", 1);
  const Outcome named = run(with({"--plan", "--json"}));
  setenv("FOVEAL_TARGET", "abacus", 1);
  const Outcome unknown = run(with({"--plan"}));
  const Outcome explained = run({"explain"}), checked = run({"check", q_});
  const Outcome overruled = run(with({"--plan", "--target", "portable"}));
  setenv("FOVEAL_TARGET", was.c_str(), 1);  // empty counts as not set
  EXPECT_EQ(json::parse(named.out)["target"], "portable");
  EXPECT_EQ(unknown.status, 2);
  for (const Outcome& outcome : {explained, checked}) {
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.err, unknown.err);  // it is no fault of the file's
  }
  EXPECT_NE(unknown.err.find("portable"), std::string::npos) << unknown.err;
  EXPECT_EQ(overruled.status, 0) << overruled.err;
}

TEST_F(Attend, RoundsInputsAndChoosesTheirType) {
  const auto dtype = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = more;
    arguments.push_back("--json");
    return json::parse(run(with(arguments)).out)["dtype"].get<std::string>();
  };
  EXPECT_EQ(dtype({"--dtype", "bfloat16"}), "bfloat16");
  EXPECT_EQ(dtype({}), "float32");
  const auto again = [&](DType type) {
    for (std::string* file : {&q_, &k_, &v_})
      *file = save("as" + std::to_string(file - &q_), load_npy(*file).to(type));
  };
  again(DType::float64);
  EXPECT_EQ(dtype({}), "float32");
  again(DType::float16);
  EXPECT_EQ(dtype({}), "float16");
  EXPECT_EQ(dtype({"--dtype", "float32"}), "float32");
  EXPECT_EQ(run(with({"--out", path("o.npy")})).status, 0);
  EXPECT_EQ(load_npy(path("o.npy")).dtype(), DType::float32);
}

TEST_F(Attend, ReadsSafetensorsByName) {
  const std::string file = path("all.safetensors");
  save_safetensors(file, {{"q:1", load_npy(q_)},
                          {"k", load_npy(k_).to(DType::bfloat16)},
                          {"v", load_npy(v_)},
                          {"i", Tensor::arange(3)}});
  const std::string o = path("o.npy");
  EXPECT_EQ(run({"attend", file + ":q:1", k_, file + ":v", "--out", o}).status, 0);
  EXPECT_TRUE(equal(load_npy(o), expected().output));
  EXPECT_EQ(run({"attend", file + ":q:1", file + ":k", v_, "--out", o}).status, 0);
  expect_failure({"attend", file + ":x", k_, v_, "--out", o}, 3, {"all.safetensors", "'x'", "q:1"});
  expect_failure({"attend", file + ":i", k_, v_, "--out", o}, 3, {"int64"});
  expect_failure({"attend", file, k_, v_, "--out", o}, 2, {":NAME"});
}

TEST_F(Attend, ReadsMasksFromFiles) {
  const Tensor visible = gt(pattern({6, 9}), 0.0);
  save("a mask", visible);
  const std::string o = path("o.npy");
  EXPECT_EQ(run(with({"--mask", "dense(\"" + path("a mask.npy") + "\")", "--out", o})).status, 0);
  EXPECT_TRUE(equal(load_npy(o), expected({.mask = dense(visible)}).output));
  expect_failure(with({"--mask", "dense(" + q_ + ")", "--out", o}), 3, {"dense", "bool"});
  expect_failure(with({"--mask", "dense(none.npy)", "--out", o}), 4, {"none.npy"});
}

TEST_F(Attend, TargetsListsNamesFirst) {
  const Outcome outcome = run({"targets"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out.rfind("portable ", 0), 0U);
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find(' '));
    EXPECT_EQ(run(with({"--target", name, "--out", path("o.npy")})).status, 0) << name;
    AttentionOptions options;
    options.target = name;
    EXPECT_TRUE(equal(load_npy(path("o.npy")), expected(options).output)) << name;
  }
}

}  // namespace
}  // namespace foveal
