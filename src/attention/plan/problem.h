#pragma once
// The sizes of one attention call, once its shapes have been checked.

#include <cmath>

#include "foveal/attention.h"

namespace foveal {

struct Problem {
  std::int64_t batch = 0, heads = 0, kv_heads = 0;
  std::int64_t query_length = 0, key_length = 0, head_size = 0, value_size = 0;
  DType dtype = DType::float32;

  /// Query heads that share a KV head; 0 where there are none.
  std::int64_t group() const { return kv_heads == 0 ? 0 : heads / kv_heads; }
  /// The KV head that query head h shares. There must be query heads.
  std::int64_t kv_head(std::int64_t h) const { return h / group(); }
  Shape output_shape() const { return {batch, heads, query_length, value_size}; }
  Shape row_shape() const { return {batch, heads, query_length}; }
  Shape score_shape() const { return {batch, heads, query_length, key_length}; }
};

/// Checks the shapes against one another, and the options' numbers and tensors against them, but
/// for what check_score_tensors does.
Problem check_problem(const Shape& query, const Shape& key, const Shape& value, DType dtype,
                      const AttentionOptions& options);

struct Sequence;

/// Checks the options' bias and dropout_mask against the scores of each sequence.
void check_score_tensors(const AttentionOptions& options, const Problem& problem,
                         const std::vector<Sequence>& sequences);

/// Whether the batch is one of packed sequences.
bool is_packed(const AttentionOptions& options);

/// Whether weights are dropped after softmax.
bool drops_weights(const AttentionOptions& options);

/// Whether weights, column mass or rows in full are asked for: they come from a second pass, which
/// needs each row's lse from the first.
bool needs_second_pass(const AttentionOptions& options);

/// Whether top-k, entropy or maximum are asked for: the first pass gathers them.
bool gathers_rows(const AttentionOptions& options);

/// Whether a number is one in float32 too: it isn't finite anyway, or doesn't round to infinity.
inline bool float32_holds(double value) {
  constexpr double kRoundsToInfinity = 0x1.ffffffp127;
  return !std::isfinite(value) || std::fabs(value) < kRoundsToInfinity;
}

/// Throws Error: `what` ("scale is 1e+39") is too large for float32, which is computed in.
[[noreturn]] void refuse_for_float32(const std::string& what);

}  // namespace foveal
