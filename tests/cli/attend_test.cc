// foveal attend and targets as people and scripts meet them: exit status, files, JSON, one line of
// error. The numbers themselves are held to NumPy by tests/python/attend_compare.py.

#include <csignal>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "foveal/attention.h"
#include "foveal/npy.h"
#include "foveal/operations.h"
#include "foveal/safetensors.h"

namespace foveal {
namespace {

using nlohmann::json;

class Attend : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    q_ = save("q", pattern({2, 4, 6, 8}));
    k_ = save("k", pattern({2, 2, 9, 8}));
    v_ = save("v", pattern({2, 2, 9, 5}));
  }

  static Tensor pattern(const Shape& shape) {
    Tensor tensor = Tensor::zeros(shape);
    for (std::int64_t n = 0; n < tensor.element_count(); ++n) {
      tensor.data<float>()[n] = static_cast<float>((n * 37 + shape[0] * 11) % 101) / 50 - 1;
    }
    return tensor;
  }

  std::string save(const std::string& name, const Tensor& tensor) const {
    save_npy(path(name + ".npy"), tensor);
    return path(name + ".npy");
  }

  std::vector<std::string> with(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"attend", q_, k_, v_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  AttentionResult expected(AttentionOptions options = {}) const {
    options.return_lse = options.return_weights = true;
    return attention(load_npy(q_), load_npy(k_), load_npy(v_), options);
  }

  std::string q_, k_, v_;
};

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

TEST_F(Attend, NumbersTooLargeForTheirDtypeAreNamed) {
  Tensor wide = pattern({2, 4, 6, 8}).to(DType::float64);
  wide.set({0, 1, 2, 3}, 1e200);
  Tensor large = pattern({2, 4, 6, 8});
  large.set({0, 1, 2, 3}, -1e5);
  const std::pair<Tensor, std::vector<std::string>> cases[] = {
      {wide, {"--json"}}, {large, {"--json", "--dtype", "float16"}}};
  for (const auto& [query, arguments] : cases) {
    q_ = save("q", query);
    const Outcome outcome = run(with(arguments));
    EXPECT_EQ(outcome.status, 3) << outcome.err;
    EXPECT_NE(outcome.err.find("q.npy' holds a number that is too large for float"),
              std::string::npos)
        << outcome.err;
  }
  large.set({0, 1, 2, 3}, INFINITY);
  q_ = save("q", large);
  EXPECT_EQ(run(with({"--json", "--dtype", "float16"})).status, 0);
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

TEST_F(Attend, SafetensorsOfOtherDtypesAreNamed) {
  const auto save_bytes = [&](const std::string& name, const std::string& header) {
    const std::string length(1, static_cast<char>(header.size()));
    return write(name, length + std::string(7, '\0') + header + "1");
  };
  const auto refuse = [&](const std::string& array, const std::vector<std::string>& parts) {
    expect_failure({"attend", array, k_, v_, "--out", path("o.npy")}, 3, parts);
  };
  const std::string bytes =
      save_bytes("u.safetensors", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})");
  refuse(bytes + ":b", {"has no array 'b': it has a\n"});
  refuse(bytes + ":a", {R"('a' has dtype "U8": it must be F32, F64, BF16, F16, I64 or BOOL)"});
  const std::string unnamed =
      save_bytes("n.safetensors", R"({"a":{"dtype":"","shape":[1],"data_offsets":[0,1]}})");
  refuse(unnamed + ":a", {R"('a' has dtype "": it must be F32)"});
  save_safetensors(path("e.safetensors"), {});
  refuse(path("e.safetensors") + ":a", {"has no array 'a': it has none\n"});
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

TEST_F(Attend, EndsWith2WhereTheCommandLineIsWrong) {
  expect_failure(with({}), 2, {"--out", "--plan"});
  expect_failure({"attend", q_, k_, "--json"}, 2, {"V"});
  expect_failure(with({"--json", "--mask", "casual()"}), 2, {"character 0", "causal"});
  expect_failure(with({"--json", "--mask", "causal(top_left"}), 2, {"')'"});
  expect_failure(with({"--json", "--threads", "0"}), 2, {"--threads"});
  expect_failure(with({"--json", "--threads", "two"}), 2, {"--threads"});
  expect_failure(with({"--json", "--dtype", "float64"}), 2, {"--dtype"});
  expect_failure(with({"--json", "--target", "sse2"}), 2, {"sse2", "portable"});
  expect_failure(with({"--json", "--scale", "nan"}), 2, {"--scale", "finite"});
  expect_failure(with({"--json", "--softcap", "-1"}), 2, {"--softcap"});
  expect_failure(with({"--json", "--dropout", "1.5"}), 2, {"--dropout"});
  expect_failure(with({"--json", "--seed", "-1"}), 2, {"--seed"});
  expect_failure(with({"--json", "--seed", "18446744073709551616"}), 2, {"--seed"});
  expect_failure(with({"--json", "--unknown"}), 2, {"--unknown"});
  expect_failure(with({"--statistics", "entropy", "--out", path("o.npy")}), 2, {"--json"});
  expect_failure(with({"--out", path("o.npy"), "--lse", path("o.npy")}), 2, {"o.npy"});
  for (const char* text :
       {"", "entropie", "top_k", "top_k=0", "top_k=x", "entropy,", "rows=[]", "rows=[1",
        "rows=[-1]", "entropy,entropy", "top_k=1,top_k=2", "entropy maximum"}) {
    expect_failure(with({"--json", "--statistics", text}), 2, {"--statistics"});
  }
}

TEST_F(Attend, EndsWith3WhereDataDoesNotFit) {
  const std::string o = path("o.npy");
  const auto refuse = [&](const std::vector<std::string>& more,
                          const std::vector<std::string>& parts) {
    std::vector<std::string> arguments = with(more);
    arguments.insert(arguments.end(), {"--out", o});
    expect_failure(arguments, 3, parts);
  };
  refuse({"--mask", "causal()"}, {"top_left", "bottom_right"});
  refuse({"--mask", "padding([3])"}, {"padding"});
  refuse({"--mask", "prefix(10)"}, {"prefix"});
  refuse({"--bias", save("b", pattern({5, 9}))}, {"bias"});
  refuse({"--sinks", save("s", pattern({3}))}, {"sinks", "(H) = (4)"});
  refuse({"--alibi", save("a", Tensor::arange(4))}, {"a.npy", "int64"});
  expect_failure(with({"--json", "--statistics", "rows=[6]"}), 3, {"rows", "6"});
  expect_failure(with({"--strict", "--weights", o}), 3, {"strict"});
  expect_failure({"attend", q_, save("x", pattern({2, 3, 9, 8})), v_, "--out", o}, 3, {"heads"});
  expect_failure({"attend", write("bad.npy", "no array"), k_, v_, "--out", o}, 3, {"bad.npy"});
  EXPECT_FALSE(std::filesystem::exists(o));
}

TEST_F(Attend, EndsWith4WhereAFileCantBeReadOrWritten) {
  write("o.npy", "what stood there");
  expect_failure({"attend", path("none.npy"), k_, v_, "--json"}, 4, {"none.npy"});
  expect_failure(with({"--out", path("o.npy"), "--lse", path("no/folder.npy")}), 4,
                 {"no/folder.npy"});
  EXPECT_EQ(read(path("o.npy")), "what stood there");
  EXPECT_EQ(names_in_folder().size(), 4U);
}

TEST_F(Attend, RefusesWhatCantFitBeforeItAllocates) {
  const std::string long_q = save("lq", pattern({400000, 1})),
                    long_k = save("lk", pattern({400000, 1}));
  expect_failure({"attend", long_q, long_k, long_k, "--weights", path("p.npy")}, 3, {"GB"});
  const std::string wide = save("wide", Tensor::zeros({1, 1, 0, 1000000000}));
  expect_failure({"attend", save("q1", pattern({1, 1, 1000, 1})),
                  save("k0", Tensor::zeros({1, 1, 0, 1})), wide, "--out", path("o.npy")},
                 3, {"GB"});
  write("sparse.npy", "");
  std::filesystem::resize_file(path("sparse.npy"), std::uintmax_t{1} << 42);
  expect_failure({"attend", path("sparse.npy"), k_, v_, "--json"}, 3, {"sparse.npy", "memory"});
}

TEST_F(Attend, EndsWith130OnCtrlCAndLeavesNothing) {
  const std::string big = save("big", pattern({1, 1, 30000, 64}));
  write("o.npy", "what stood there");
  const pid_t child = start(
      {"attend", big, big, big, "--out", path("o.npy"), "--threads", "1", "--target", "portable"});
  ASSERT_GT(child, 0);
  usleep(300000);
  kill(child, SIGINT);
  EXPECT_EQ(finish(child).status, 130);
  EXPECT_EQ(read(path("o.npy")), "what stood there");
  EXPECT_EQ(names_in_folder().size(), 5U);
}

TEST_F(Attend, FilesThatHoldNothingUsefulAreOneLineForEachOption) {
  std::filesystem::create_directory(path("folder"));
  write("empty", "");
  write("text", "hello");
  write("cut", read(k_).substr(0, 150));
  for (const char* file : {"folder", "empty", "text", "cut", "missing", "empty.safetensors:x"}) {
    const std::string name = path(file);
    const bool unreadable =
        name == path("folder") || name == path("missing") || name == path("empty.safetensors:x");
    const int status = unreadable ? 4 : 3;
    const std::string part = std::string(file).substr(0, 6);
    expect_failure({"attend", name, k_, v_, "--json"}, status, {part});
    for (const char* option : {"--bias", "--alibi", "--sinks"}) {
      expect_failure(with({option, name, "--json"}), status, {part});
    }
    for (const char* mask : {"dense", "padding", "document"}) {
      expect_failure(with({"--mask", fmt::format("{}({})", mask, name), "--json"}), status, {part});
    }
  }
}

TEST_F(Attend, CtrlCEndsTheWaitForThePipesReader) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const pid_t child = start(with({"--out", path("pipe"), "--lse", path("lse.npy")}));
  ASSERT_GT(child, 0);
  usleep(300000);
  kill(child, SIGINT);
  EXPECT_EQ(finish(child).status, 130);
  EXPECT_FALSE(std::filesystem::exists(path("lse.npy")));
}

TEST_F(Attend, APipeGetsNothingWhereAFileCantBeWritten) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  write("o.npy", "what stood there");
  char byte = 0;
  expect_failure(
      with({"--out", path("pipe"), "--weights", path("o.npy"), "--lse", path("no/folder.npy")}), 4,
      {"no/folder.npy"});
  EXPECT_EQ(::read(reader, &byte, 1), 0);
  EXPECT_EQ(read(path("o.npy")), "what stood there");
  EXPECT_EQ(run(with({"--out", path("pipe"), "--lse", path("o.npy")})).status, 0);
  EXPECT_EQ(::read(reader, &byte, 1), 1);
  EXPECT_EQ(load_npy(path("o.npy")).rank(), 3);
  EXPECT_EQ(names_in_folder().size(), 5U);  // three inputs, and no temporary file
  close(reader);
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
