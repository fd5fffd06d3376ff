#pragma once
// Scores of one tile of queries, tile by tile of keys, and what float64 makes of them: for rows
// whose numbers are too large for the fused kernels.

#include <algorithm>
#include <cmath>

#include "attention/engine/call.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/workspace.h"

namespace foveal {

/// m and l of each row of a tile of queries: the largest score and the sum of exp(S - m), sinks
/// included; -inf and 0 where no key is seen.
struct RowSums {
  double maximum[64], sum[64];
};

template <class T>
class ScoreRows {
 public:
  ScoreRows(const Call<T>& call, const SequencePlan& sequence, std::int64_t b, std::int64_t h,
            std::int64_t tile)
      : task_(call.task(sequence.sequence, b, h, tile)),
        sequence_(sequence),
        kernels_(forward_kernels<T>(*call.plan.target)),
        query_tile_(call.plan.query_tile),
        b_(b),
        h_(h),
        tile_(tile) {}

  const ForwardTask<T>& task() const { return task_; }

  /// visit(keys, q, k, score) for each visible cell, k counted from the tile's first key. One walk
  /// of a thread at a time.
  template <class Visit>
  void for_each_cell(std::uint64_t queries, const Visit& visit) {
    task_.workspace = workspace<T>(kernels_.workspace(task_.head_size, task_.value_size));
    kernels_.scores_begin(task_);
    for_each_key_tile(task_, sequence_, b_, h_, tile_, query_tile_, [&](const KeyTile& keys) {
      const T* const scores = kernels_.scores_tile(task_, keys);
      for (std::int64_t k = 0; k < keys.count; ++k) {
        const std::uint64_t seen = keys.bits == nullptr ? queries : queries & keys.bits[k];
        for (std::int64_t q = 0; q < task_.query_count; ++q) {
          if ((seen >> q & 1) == 0) continue;
          visit(keys, q, k, static_cast<double>(scores[k * kernels_.query_tile + q]));
        }
      }
    });
  }

  /// Of the queries whose bits are set.
  RowSums sums(std::uint64_t queries) {
    RowSums sums;
    const double sink = task_.sink == nullptr ? -INFINITY : static_cast<double>(*task_.sink);
    std::fill_n(sums.maximum, 64, sink);
    std::fill_n(sums.sum, 64, sink == -INFINITY ? 0 : 1);
    for_each_cell(queries, [&](const KeyTile&, std::int64_t q, std::int64_t, double score) {
      double &maximum = sums.maximum[q], &sum = sums.sum[q];
      if (score > maximum) {
        sum = sum == 0 ? 0 : sum * std::exp(maximum - score);
        maximum = score;
      }
      // A score of -inf has no weight, where no other is larger too.
      if (score != -INFINITY) sum += std::exp(score - maximum);
    });
    return sums;
  }

 private:
  ForwardTask<T> task_;
  const SequencePlan& sequence_;
  const ForwardKernels<T>& kernels_;
  std::int64_t query_tile_, b_, h_, tile_;
};

}  // namespace foveal
