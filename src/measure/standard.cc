// The rows of docs/performance.md.

#include <algorithm>

#include "kernels/targets/registry.h"
#include "measure/bench.h"

namespace foveal::measure {
namespace {

Request row(Op op, DType dtype, const std::string& sizes, const Mask& mask = none()) {
  Request request;
  request.op = op;
  request.dtype = dtype;
  request.sizes = sizes.empty() ? default_sizes(op) : parse_sizes(op, sizes);
  request.mask = mask;
  return request;
}

/// `count` lengths from 64 to 128, mixed.
Mask padding_to_128(std::int64_t count) {
  std::vector<std::int64_t> lengths;
  lengths.reserve(static_cast<std::size_t>(count));
  for (std::int64_t n = 0; n < count; ++n) lengths.push_back(64 + n * 37 % 65);
  return padding(lengths);
}

/// Documents of equal length, one after the other.
Mask documents(std::int64_t keys, std::int64_t length) {
  Tensor ids = Tensor::arange(keys);
  for (std::int64_t j = 0; j < keys; ++j) ids.data<std::int64_t>()[j] = j / length;
  return document(ids);
}

const char* const kUsual = "B8,H12,Lq1024,D64";
const char* const kLong = "H32,Lq4096,D128";

void add_forward(std::vector<Request>& rows) {
  constexpr DType f = DType::float32;
  rows.push_back(row(Op::forward, f, kUsual, causal()));
  rows.push_back(row(Op::forward, f, kUsual));
  rows.push_back(row(Op::forward, f, kLong, causal()));
  rows.push_back(row(Op::forward, f, kLong));
  rows.push_back(row(Op::forward, f, "B32,H12,Lq128,D64"));
  rows.push_back(row(Op::forward, f, "B32,H12,Lq128,D64", padding_to_128(32)));
  rows.push_back(row(Op::forward, f, "H16,Lq1500,D80"));
  rows.push_back(row(Op::forward, f, "H16,Lq1500,D96"));
  rows.push_back(row(Op::forward, f, "H32,KV8,Lq2048,D64", causal()));
  rows.push_back(row(Op::forward, f, "H32,KV32,Lq2048,D64", causal()));
  rows.push_back(row(Op::forward, f, "H12,Lq8192,D64", window(256, 0)));
  rows.push_back(row(Op::forward, f, "H12,Lq8192,D64", documents(8192, 1024)));
  rows.push_back(row(Op::forward, f, "H12,Lq8192,D64"));
  rows.push_back(row(Op::forward, f, "Lq16,D64"));
  rows.push_back(row(Op::forward, DType::bfloat16, kUsual, causal()));
  rows.push_back(row(Op::forward, DType::bfloat16, kUsual));
  rows.push_back(row(Op::forward, DType::bfloat16, kLong, causal()));
}

void add_others(std::vector<Request>& rows) {
  for (const DType dtype : {DType::float32, DType::bfloat16}) {
    rows.push_back(row(Op::backward, dtype, kUsual, causal()));
    rows.push_back(row(Op::backward, dtype, kUsual));
    if (dtype == DType::float32) rows.push_back(row(Op::backward, dtype, "Lq4096,D64"));
  }
  rows.push_back(row(Op::decode, DType::float32, ""));
  rows.push_back(row(Op::decode, DType::bfloat16, ""));
  rows.push_back(row(Op::gemm, DType::float32, ""));
  rows.push_back(row(Op::call, DType::float32, ""));
  for (const Mask& mask :
       {causal(), window(256, 0), prefix(1000), padding({100000}), documents(131072, 2048)}) {
    rows.push_back(row(Op::plan, DType::float32, "", mask));
  }
  for (const Op op : {Op::naive, Op::online, Op::tiled, Op::forward}) {
    rows.push_back(row(op, DType::float32, "H4,Lq1024,D64"));
  }
}

Request on_one_thread(Request request) {
  request.threads = 1;
  return request;
}

}  // namespace

std::vector<Request> standard_rows() {
  std::vector<Request> rows;
  add_forward(rows);
  add_others(rows);
  rows.push_back(on_one_thread(row(Op::naive, DType::float32, "Lq16,D64")));
  rows.push_back(on_one_thread(row(Op::forward, DType::float32, kUsual)));
  const auto& targets = usable_targets();
  const bool has_avx2 = std::any_of(targets.begin(), targets.end(), [](const Target* target) {
    return std::string(target->name) == "avx2";
  });
  if (has_avx2) {
    Request avx2 = row(Op::forward, DType::float32, kUsual);
    avx2.target = "avx2";
    rows.push_back(avx2);
  }
  return rows;
}

}  // namespace foveal::measure
