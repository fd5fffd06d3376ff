// A benchmark's numbers, but for their size: what is counted, verified, written.

#include "measure/bench.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "draw/terminal.h"
#include "errors.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"
#include "measure/operation.h"

namespace foveal::measure {
namespace {

using Json = nlohmann::ordered_json;

Request request(Op op, const std::string& sizes, const std::string& mask = "none()",
                DType dtype = DType::float32) {
  Request one;
  one.op = op;
  one.sizes = parse_sizes(op, sizes);
  one.mask = parse_mask(mask);
  one.dtype = dtype;
  one.repeats = 2;
  return one;
}

Bench run(const std::vector<Request>& requests) {
  return run_bench(requests, "", [](std::size_t, std::size_t, const Request&) {});
}

TEST(Bench, EveryOpIsVerifiedForEveryDtypeAndMask) {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    for (const char* mask : {"none()", "causal(bottom_right) & window(9, -1)", "padding([3, 90])",
                             "document([0,0,0,1,1]) | prefix(2)"}) {
      for (const Op op :
           {Op::forward, Op::backward, Op::decode, Op::naive, Op::online, Op::tiled}) {
        const bool ladder = op == Op::naive || op == Op::online || op == Op::tiled;
        if (ladder && dtype != DType::float32) continue;
        const bool five = std::string(mask).front() == 'd';
        Request one = request(op, five ? "B2,H4,KV2,Lq3,Lk5,D7,Dv4" : "B2,H4,KV2,Lq70,Lk90,D7,Dv4",
                              mask, dtype);
        SCOPED_TRACE(describe(one) + " " + mask);
        const Operation operation = make_operation(one);
        const Error64 error = operation.verify();
        EXPECT_LE(error.error, size_of(dtype) == 2 ? 0.05 : dtype == DType::float64 ? 1e-13 : 2e-5);
        EXPECT_GT(error.largest, 0.1);
      }
    }
    const Error64 error =
        make_operation(request(Op::gemm, "M70,N33,K90", "none()", dtype)).verify();
    EXPECT_LE(error.error, size_of(dtype) == 2 ? 0.5 : dtype == DType::float64 ? 1e-12 : 1e-4);
  }
}

TEST(Bench, WorkIsCountedByVisiblePairs) {
  const std::string sizes = "B2,H4,KV2,Lq10,Lk10,D3,Dv5";
  const double pairs = 2 * 4 * 55;  // of causal
  const auto flops = [&](Op op, const char* mask) {
    return make_operation(request(op, sizes, mask)).flops;
  };
  EXPECT_EQ(flops(Op::forward, "causal"), pairs * (2 * 3 + 2 * 5));
  EXPECT_EQ(flops(Op::backward, "causal"), pairs * (6 * 3 + 4 * 5));
  EXPECT_EQ(flops(Op::naive, "causal"), pairs * (2 * 3 + 2 * 5));
  EXPECT_EQ(flops(Op::forward, "padding([10, 0])"), 4 * 10 * 10 * 16);
  EXPECT_EQ(make_operation(request(Op::gemm, "M3,N4,K5")).flops, 2 * 3 * 4 * 5);
}

TEST(Bench, DecodeReadsEachVisibleKeyOnce) {
  const auto bytes = [](const char* mask, DType dtype) {
    return make_operation(request(Op::decode, "B2,H4,KV2,Lk90,D3,Dv5", mask, dtype)).bytes;
  };
  EXPECT_EQ(bytes("none()", DType::float32), 2 * 2 * 90 * 8 * 4);
  EXPECT_EQ(bytes("none()", DType::bfloat16), 2 * 2 * 90 * 8 * 2);
  EXPECT_EQ(bytes("padding([30, 60])", DType::float32), 2 * 90 * 8 * 4);
}

TEST(Bench, RowsHoldWhatWasAskedFor) {
  Request one_thread = request(Op::forward, "H2,Lq64,D8", "causal()");
  one_thread.threads = 1;
  one_thread.target = "portable";
  const int threads = num_threads();
  const Bench bench = run({request(Op::forward, "H2,Lq64,D8", "causal()"), one_thread,
                           request(Op::decode, "H2,Lk64,D8"), request(Op::plan, "Lq300,D8"),
                           request(Op::call, "Lq1,D1"), request(Op::gemm, "M8,N8,K8")});
  EXPECT_EQ(num_threads(), threads);
  EXPECT_EQ(bench.machine.threads, threads);
  EXPECT_EQ(bench.machine.target, find_target("").name);
  for (const BenchRow& row : bench.rows) {
    SCOPED_TRACE(describe(row.request));
    EXPECT_EQ(row.seconds.repeats, 2);
    EXPECT_GT(row.seconds.median, 0);
    const bool plan = row.request.op == Op::plan;
    EXPECT_EQ(row.share_of_peak.has_value(), !plan);
    EXPECT_EQ(row.max_error.has_value(), !plan);
    if (plan) continue;
    const double reached = *(row.request.op == Op::decode ? row.gbs : row.gflops);
    EXPECT_NEAR(*row.share_of_peak * *row.peak / reached, 1, 1e-12);
  }
  EXPECT_EQ(bench.rows[1].threads, 1);
  EXPECT_EQ(bench.rows[1].target, "portable");
}

TEST(Bench, JsonHasItsKeysInOrder) {
  const Bench bench = run({request(Op::forward, "B2,H4,KV2,Lq9,Lk10,D3,Dv5", "causal(top_left)"),
                           request(Op::plan, "Lq300,D8"), request(Op::gemm, "M8,N8,K8")});
  const Json json = Json::parse(bench_json(bench));
  const auto keys = [](const Json& object) {
    std::vector<std::string> names;
    for (const auto& [name, value] : object.items()) names.push_back(name);
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(keys(json), (Names{"schema", "machine", "rows"}));
  EXPECT_EQ(json["schema"], "foveal.bench/1");
  EXPECT_EQ(keys(json["machine"]), (Names{"cpu", "target", "threads", "peak_float32_gflops",
                                          "peak_bfloat16_gflops", "read_gbs"}));
  for (const Json& row : json["rows"]) {
    EXPECT_EQ(keys(row),
              (Names{"op", "dtype", "shape", "mask", "repeats", "median_ms", "spread_ms", "gflops",
                     "gbs", "share_of_peak", "max_error", "target", "threads", "peak"}));
  }
  EXPECT_EQ(json["rows"][0]["shape"].dump(),
            R"({"B":2,"H":4,"H_kv":2,"L_q":9,"L_k":10,"D":3,"D_v":5})");
  EXPECT_EQ(json["rows"][0]["mask"], "causal(top_left)");
  EXPECT_TRUE(json["rows"][1]["gflops"].is_null());
  EXPECT_EQ(json["rows"][2]["shape"].dump(), R"({"M":8,"N":8,"K":8})");
}

TEST(Bench, TheTableFitsATerminal) {
  Bench bench{{"CPU", "portable", 2, 100, 200, 30}, {}};
  Request wide = request(Op::backward, "B128,H128,KV64,Lq131072,Lk262144,D128,Dv256",
                         "document([0,0,1,1]) | window(100, 0)", DType::bfloat16);
  BenchRow row{wide, "avx512_bf16", 1, {5, 123.4567, 0.98765}, 1, 1, 1.234, 0.1, 1};
  bench.rows = {row, row};
  bench.rows[1].seconds = {5, 1.23456e-7, 1.2345e-9};
  const std::string text = bench_text(bench, false);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(draw::terminal::width(text.substr(at, end - at)), 80) << text;
    at = end + 1;
  }
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(bench_text(bench, true).find('\x1b'), std::string::npos);
}

TEST(Bench, WhatDoesNotFitIsRefused) {
  const std::string huge =
      "B9223372036854775807,H9223372036854775807,Lq9223372036854775807,Lk9223372036854775807,D1";
  for (const Op op : {Op::forward, Op::backward, Op::decode, Op::plan, Op::call, Op::naive}) {
    const std::string message = message_of([&] { make_operation(request(op, huge)); });
    EXPECT_NE(message.find("but this process may use"), std::string::npos) << message;
  }
  const std::string beyond_counting = "more than 63 bits can count";
  for (const auto& [sizes, rule] :
       {std::pair("H4,Lq10000000,D4096", std::string("but this process may use")),
        std::pair("H4,Lq10,Lk10000000000,D64", std::string("but this process may use")),
        std::pair("Lq1,D4611686018427387904,Dv1", beyond_counting)}) {
    for (const Op op : {Op::forward, Op::backward}) {
      const std::string message = message_of([&] { make_operation(request(op, sizes)); });
      EXPECT_NE(message.find(rule), std::string::npos) << message;
    }
  }
  const std::string message =
      message_of([&] { make_operation(request(Op::gemm, "M10000000,N10000000,K1")); });
  EXPECT_NE(message.find("but this process may use"), std::string::npos) << message;
  EXPECT_NE(message_of([] {
              make_operation(request(Op::forward, "H3,KV2,Lq5,D4"));
            }).find("must match or divide"),
            std::string::npos);
}

TEST(Bench, StandardRowsAreWellFormed) {
  for (const Request& one : standard_rows()) {
    if (one.op == Op::gemm) continue;
    EXPECT_NO_THROW(plan_of(one, options_of(one))) << describe(one);
  }
}

TEST(Clock, MedianAndQuartiles) {
  const Summary summary = summarize({4, 1, 3, 2});
  EXPECT_EQ(summary.repeats, 4);
  EXPECT_EQ(summary.median, 2.5);
  EXPECT_EQ(summary.spread, 1.5);
  EXPECT_EQ(summarize({7}).spread, 0);
}

}  // namespace
}  // namespace foveal::measure
