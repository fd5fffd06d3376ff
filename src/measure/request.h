#pragma once
// What one row of a benchmark measures.

#include <string>
#include <utility>
#include <vector>

#include "foveal/mask.h"

namespace foveal::measure {

/// naive, online and tiled are the rungs of the ladder below forward (ladder/); plan builds a plan;
/// call is a call's fixed cost.
enum class Op { forward, backward, decode, gemm, plan, call, naive, online, tiled };

const std::vector<std::string>& op_names();
std::string to_string(Op op);
/// Throws Error (kind usage) for another name.
Op parse_op(const std::string& name);

/// Sizes by their letters, in the order of notation.md: of attention, or M, N, K of a product
/// (M, K) x (K, N).
struct Sizes {
  std::int64_t batch = 1, heads = 1, kv_heads = 1, queries = 1, keys = 1, head_size = 1,
               value_size = 1;
  std::int64_t m = 1, n = 1, k = 1;

  Shape query() const { return {batch, heads, queries, head_size}; }
  Shape key() const { return {batch, kv_heads, keys, head_size}; }
  Shape value() const { return {batch, kv_heads, keys, value_size}; }
};

/// ("B", 8), ("H", 12), ("H_kv", 12), ("L_q", 1024), ("L_k", 1024), ("D", 64), ("D_v", 64), or
/// ("M", 8192), ("N", 768), ("K", 768).
std::vector<std::pair<std::string, std::int64_t>> named_sizes(Op op, const Sizes& sizes);
/// "B8 H12 L1024 D64"; "H32/8 L1/8192 D128" where query and key sizes differ; "8192x768x768".
std::string short_text(Op op, const Sizes& sizes);

/// What `op` measures where no shape is given.
Sizes default_sizes(Op op);
/// "B8,H12,KV12,Lq1024,Lk1024,D64,Dv64", any order, or "M8192,N768,K768". Left out: B and H are 1,
/// KV is H, Lq is Lk (1 for decode), Lk is Lq, Dv is D. Throws Error (kind usage) that says where.
Sizes parse_sizes(Op op, const std::string& text);

struct Request {
  Op op = Op::forward;
  DType dtype = DType::float32;
  Sizes sizes;
  Mask mask;
  std::string target;        ///< empty: the run's
  int threads = 0;           ///< 0: the run's
  std::int64_t repeats = 0;  ///< 0: as many as fit into about half a second, at least 5
};

/// "forward float32 B8 H12 L1024 D64".
std::string describe(const Request& request);

}  // namespace foveal::measure
