// foveal attend where it can't: exit status, one line of error, and what is left.

#include <csignal>
#include <nlohmann/json.hpp>

#include "cli/attend.h"
#include "foveal/safetensors.h"

namespace foveal {
namespace {

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
  const Tensor brain = large.to(DType::bfloat16);
  save_safetensors(path("q.safetensors"), {{"q", brain}});
  const Outcome outcome =
      run({"attend", path("q.safetensors:q"), k_, v_, "--json", "--dtype", "float16"});
  EXPECT_EQ(outcome.status, 3);
  EXPECT_NE(outcome.err.find("too large for float16"), std::string::npos) << outcome.err;
  large.set({0, 1, 2, 3}, INFINITY);
  q_ = save("q", large);
  EXPECT_EQ(run(with({"--json", "--dtype", "float16"})).status, 0);
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
  expect_failure(with({"--out", path("o.npy"), "--weights", k_}), 2, {"k.npy", "is the input"});
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

}  // namespace
}  // namespace foveal
