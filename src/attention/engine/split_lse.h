#pragma once
// lse = m + ln l where it is so large that its rounding would show in exp(S - lse): kept as two
// numbers.

#include <array>
#include <cmath>

#include "attention/engine/call.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/query_tiles.h"
#include "attention/engine/workspace.h"

namespace foveal {

/// Whether exp(S - lse) would be off by more than 2^-18 for some row.
template <class T>
bool is_large(const T* lse, std::int64_t count) {
  constexpr T kLarge = 128;
  for (std::int64_t n = 0; n < count; ++n) {
    if (std::isfinite(lse[n]) && std::fabs(lse[n]) > kLarge) return true;
  }
  return false;
}

/// m and ln l of a tile's rows: -inf and 0 for one that sees no key, NaN for one with a NaN.
template <class T>
struct RowLse {
  std::array<T, 64> maximum, rest;
};

/// Computed from the scores once more, m the largest of them itself.
template <class T>
RowLse<T> row_lse(const Call<T>& call, const SequencePlan& sequence, std::int64_t b, std::int64_t h,
                  std::int64_t tile) {
  const ForwardKernels<T>& kernels = forward_kernels<T>(*call.plan.target);
  ForwardTask<T> task = call.task(sequence.sequence, b, h, tile);
  task.value_size = 0;
  task.apart = true;
  task.slack = 0;
  task.workspace = workspace<T>(kernels.workspace(task.head_size, 0));
  RowLse<T> rows;
  std::array<T, 64> sums;
  task.maximum = rows.maximum.data();
  task.sum = sums.data();
  run_forward_tile(kernels, task, sequence, b, h, tile, kernels.end_state, [](const KeyTile&) {});
  for (std::size_t q = 0; q < static_cast<std::size_t>(task.query_count); ++q) {
    if (std::isnan(sums[q])) rows.maximum[q] = sums[q];
    rows.rest[q] = sums[q] == 0 ? 0 : std::log(sums[q]);
  }
  return rows;
}

/// Both of all rows, (B, H, L_q) each; lse and 0 in tiles where lse serves.
struct SplitLse {
  Tensor maximum, rest;
};

template <class T>
SplitLse split_lse(const Call<T>& call, const Tensor& lse) {
  const Problem& problem = call.plan.problem;
  SplitLse split{lse.clone(), Tensor::zeros(problem.row_shape(), dtype_of<T>())};
  T *const maximum = split.maximum.data<T>(), *const rest = split.rest.data<T>();
  for_each_query_tile(call.plan, call.plan.all,
                      [&](const SequencePlan& sequence, const QueryTile& at, const QueryTile&) {
                        const std::int64_t row = call.row(sequence.sequence, at.b, at.h, at.tile);
                        const std::int64_t count =
                            std::min(call.plan.query_tile, sequence.sequence.query_length -
                                                               at.tile * call.plan.query_tile);
                        if (!is_large(maximum + row, count)) return;
                        const RowLse<T> rows = row_lse(call, sequence, at.b, at.h, at.tile);
                        std::copy_n(rows.maximum.data(), count, maximum + row);
                        std::copy_n(rows.rest.data(), count, rest + row);
                      });
  return split;
}

}  // namespace foveal
