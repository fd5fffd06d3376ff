#pragma once
// lse = m + ln l where it is so large that its rounding would show in exp(S - lse): kept as two
// numbers.

#include "attention/engine/score_rows.h"
#include "core/thread_pool.h"

namespace foveal {

/// Whether exp(S - lse) would be off by more than 2^-14 for some row.
template <class T>
bool is_large(const T* lse, std::int64_t count) {
  constexpr T kLarge = 1024;
  for (std::int64_t n = 0; n < count; ++n) {
    if (std::isfinite(lse[n]) && std::fabs(lse[n]) > kLarge) return true;
  }
  return false;
}

/// m and ln l of all rows, (B, H, L_q) each, computed from the scores once more; -inf and 0 for a
/// row that sees no key.
struct SplitLse {
  Tensor maximum, rest;
};

template <class T>
SplitLse split_lse(const Call<T>& call) {
  const Problem& problem = call.plan.problem;
  SplitLse split{Tensor::full(problem.row_shape(), -INFINITY, dtype_of<T>()),
                 Tensor::zeros(problem.row_shape(), dtype_of<T>())};
  T *const maximum = split.maximum.data<T>(), *const rest = split.rest.data<T>();
  for (const SequencePlan& sequence : call.plan.sequences) {
    const std::int64_t tiles = sequence.query_tiles;
    parallel_for(problem.batch * problem.heads * tiles, [&](std::int64_t index) {
      const std::int64_t head = index / tiles, b = head / problem.heads, h = head % problem.heads;
      ScoreRows<T> scores(call, sequence, b, h, index % tiles);
      const RowSums sums = scores.sums(~std::uint64_t{0});
      const std::int64_t row = call.row(sequence.sequence, b, h, index % tiles);
      for (std::int64_t q = 0; q < scores.task().query_count; ++q) {
        maximum[row + q] = static_cast<T>(sums.maximum[q]);
        rest[row + q] = sums.sum[q] == 0 ? 0 : static_cast<T>(std::log(sums.sum[q]));
      }
    });
  }
  return split;
}

}  // namespace foveal
