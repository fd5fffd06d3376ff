// foveal bench as people and scripts meet it: exit status, JSON, one line of error.

#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace foveal {
namespace {

using nlohmann::json;

class BenchCommand : public CommandTest {};

TEST_F(BenchCommand, WritesJson) {
  const Outcome outcome =
      run({"bench", "--op", "forward", "--dtype", "bfloat16", "--shape", "B2,H4,KV2,Lq20,Lk30,D8",
           "--mask", "padding([20, 30]) & window(9, 0)", "--threads", "1", "--repeats", "3",
           "--target", "portable", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result["machine"]["target"], "portable");
  EXPECT_EQ(result["machine"]["threads"], 1);
  ASSERT_EQ(result["rows"].size(), 1U);
  const json& row = result["rows"][0];
  EXPECT_EQ(row["op"], "forward");
  EXPECT_EQ(row["dtype"], "bfloat16");
  EXPECT_EQ(row["mask"], "padding([20,30]) & window(9, 0)");
  EXPECT_EQ(row["repeats"], 3);
}

TEST_F(BenchCommand, WritesTheTableToAFile) {
  const Outcome outcome =
      run({"bench", "--op", "gemm", "--shape", "M4,N5,K6", "--out", path("t.txt")});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out + outcome.err, "");
  EXPECT_NE(read(path("t.txt")).find("gemm     float32  4x5x6"), std::string::npos);
  EXPECT_EQ(names_in_folder().size(), 1U);
}

TEST_F(BenchCommand, WrongOptionsEndWith2) {
  expect_failure({"bench", "--op", "sideways"}, 2, {"--op 'sideways'", "forward"});
  expect_failure({"bench", "--op", "forward", "--dtype", "int8"}, 2, {"'int8'", "bfloat16"});
  expect_failure({"bench", "--op", "forward", "--shape", "Q5"}, 2, {"--shape 'Q5'"});
  expect_failure({"bench", "--op", "forward", "--mask", "sideways()"}, 2, {"sideways"});
  expect_failure({"bench", "--op", "gemm", "--mask", "causal"}, 2, {"product"});
  expect_failure({"bench", "--op", "tiled", "--dtype", "float16"}, 2, {"float32"});
  expect_failure({"bench", "--op", "forward", "--repeats", "0"}, 2, {"--repeats"});
  expect_failure({"bench", "--op", "forward", "--threads", "0"}, 2, {"--threads"});
  expect_failure({"bench", "--op", "forward", "--target", "abacus"}, 2, {"abacus", "portable"});
  expect_failure({"bench", "--shape", "Lq5,D4"}, 2, {"--op"});
}

TEST_F(BenchCommand, WhatDoesNotFitEndsWith3) {
  expect_failure({"bench", "--op", "forward", "--shape", "Lq10000000000000,D64"}, 3,
                 {"bench: forward float32", "GB"});
  expect_failure({"bench", "--op", "forward", "--shape", "B2,Lq5,D4", "--mask", "padding([5])"}, 3,
                 {"padding"});
  expect_failure({"bench", "--op", "forward", "--shape", "H3,KV2,Lq5,D4"}, 3, {"divide"});
  expect_failure({"bench", "--op", "forward", "--shape", "Lq5,Lk6,D4", "--mask", "causal"}, 3,
                 {"causal"});
}

TEST_F(BenchCommand, AMaskFileThatIsNotThereEndsWith4) {
  expect_failure({"bench", "--op", "forward", "--mask", "dense(none.npy)"}, 4, {"none.npy"});
}

}  // namespace
}  // namespace foveal
