#pragma once
// Attention forward, one tile of queries at a time, on S transposed: lanes are queries, so that the
// row maximum and sum need no reduction across lanes. Online softmax (Milakov and Gimelshein, 2018;
// Dao et al., FlashAttention, 2022) against a maximum that may be stale by up to 2^8.

#include "kernels/forward_scores.h"
#include "kernels/transpose.h"

namespace foveal {
namespace {

template <class T>
void forward_begin(const ForwardTask<T>& task) {
  const ForwardState<T> state(task);
  // With a softcap scores come out of the product as S / c, else in units of log2.
  const T factor = task.softcap > 0 ? task.scale / task.softcap : task.scale * kLog2E<T>;
  for (int64_t d = 0; d < task.head_size && task.query_count < kQueryTile<T>; ++d) {
    T* const row = state.query + d * kQueryTile<T>;
    for (int64_t q = task.query_count; q < kQueryTile<T>; ++q) row[q] = 0;
  }
  transpose(task.query, task.query_stride, task.query_count, task.head_size, factor, state.query,
            int64_t{kQueryTile<T>});
  for (int64_t n = 0; n < task.value_size * kQueryTile<T>; ++n) state.output[n] = 0;
  if (task.observation != nullptr) begin_observation(task);
  for (int q = 0; q < kQueryTile<T>; ++q) {
    state.maximum[q] = 0;
    state.limit[q] = kUnset<T>;
    state.sum[q] = 0;
  }
}

/// Columns d .. d + R - 1 of V for a segment: O^T[d] += V[row][d] * P[row] over its rows.
template <class T, int R, int C>
inline __attribute__((always_inline)) void add_columns(const ForwardState<T>& state, const T* value,
                                                       int64_t value_stride, const Segment& segment,
                                                       int64_t d) {
  const auto [first, last] = segment.rows;
  T* const output = state.output + d * kQueryTile<T> + segment.lane;
  Block<T, R, C> block;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < C; ++v) block.at[r][v] = load(output + r * kQueryTile<T> + v * kLanes<T>);
  }
  block.add_product({value + first * value_stride + d, 1, value_stride},
                    state.weights + first * kQueryTile<T> + segment.lane, kQueryTile<T>,
                    last - first);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < C; ++v) store(output + r * kQueryTile<T> + v * kLanes<T>, block.at[r][v]);
  }
}

template <class T, int C>
void add_values(const ForwardTask<T>& task, const ForwardState<T>& state, const T* value,
                int64_t value_stride, const Segment& segment) {
  constexpr int R = keys_per_block(C);
  int64_t d = 0;
  for (; d + R <= task.value_size; d += R) {
    add_columns<T, R, C>(state, value, value_stride, segment, d);
  }
  for (; d < task.value_size; ++d) add_columns<T, 1, C>(state, value, value_stride, segment, d);
}

/// Copies V into the state, the rows of `skipped` as zeros.
template <class T>
void copy_finite_rows(const ForwardTask<T>& task, const ForwardState<T>& state, const T* value,
                      int64_t count, uint64_t skipped) {
  for (int64_t k = 0; k < count; ++k) {
    const bool skip = (skipped >> k) & 1;
    for (int64_t d = 0; d < task.value_size; ++d) {
      state.value[k * task.value_size + d] = skip ? 0 : value[k * task.value_stride + d];
    }
  }
}

/// The skipped rows of a segment, for the queries alone that see them: 0 times infinity would be
/// NaN.
template <class T>
void add_skipped_rows(const ForwardTask<T>& task, const ForwardState<T>& state, const KeyTile& tile,
                      const T* value, uint64_t skipped, const Segment& segment) {
  const int last_lane = segment.lane + segment.vectors * kLanes<T>;
  for (int64_t k = segment.rows.first; k < segment.rows.last; ++k) {
    if (((skipped >> k) & 1) == 0) continue;
    for (int64_t q = segment.lane; q < last_lane && q < task.query_count; ++q) {
      if (((tile.bits[k] >> q) & 1) == 0) continue;
      const T weight = state.weights[k * kQueryTile<T> + q];
      for (int64_t d = 0; d < task.value_size; ++d) {
        state.output[d * kQueryTile<T> + q] += weight * value[k * task.value_stride + d];
      }
    }
  }
}

template <class T>
void forward_tile(const ForwardTask<T>& task, const KeyTile& tile) {
  const ForwardState<T> state(task);
  const T* const value = task.value + tile.first * task.value_stride;
  const uint64_t skipped =
      tile.bits == nullptr ? 0
                           : rows_not_finite(value, task.value_stride, tile.count, task.value_size);
  if (skipped != 0) copy_finite_rows(task, state, value, tile.count, skipped);
  for (int strip = 0; strip * kStripLanes<T> < task.query_count; ++strip) {
    for_each_segment<T>(tile, strip, [&]<int C>(const Segment& segment) {
      score_rows<T, C>(task, state, tile, segment);
      if (skipped == 0) {
        add_values<T, C>(task, state, value, task.value_stride, segment);
      } else {
        add_values<T, C>(task, state, state.value, task.value_size, segment);
        add_skipped_rows(task, state, tile, value, skipped, segment);
      }
    });
  }
}

/// One query's share: what its output is multiplied by, and its lse.
struct RowEnd {
  double factor, lse;
};

template <class T>
inline RowEnd end_row(const ForwardTask<T>& task, double maximum, double sum) {
  double kept = 1;
  if (task.sink != nullptr) {
    const double sink = static_cast<double>(*task.sink) * kLog2E<double>;
    const double top = sum == 0 || sink > maximum ? sink : maximum;
    kept = sum == 0 ? 0 : __builtin_exp2(maximum - top);
    sum = sum * kept + __builtin_exp2(sink - top);
    maximum = top;
  }
  return {sum == 0 ? 0 : kept / sum,
          task.lse == nullptr ? 0 : (maximum + __builtin_log2(sum)) * kLn2};
}

/// Divides by the sums, sinks included, and writes output and lse.
template <class T>
void forward_end(const ForwardTask<T>& task) {
  const ForwardState<T> state(task);
  T factors[kQueryTile<T>] = {};
  for (int64_t q = 0; q < task.query_count; ++q) {
    const RowEnd end = end_row(task, state.maximum[q], state.sum[q]);
    factors[q] = static_cast<T>(end.factor);
    if (task.observation != nullptr) end_observation(task, state, q, end.factor);
    if (task.lse != nullptr) task.lse[q] = static_cast<T>(end.lse);
  }
  for (int64_t d = 0; d < task.value_size; ++d) {
    T* const row = state.output + d * kQueryTile<T>;
    for (int q = 0; q < kQueryTile<T>; ++q) row[q] *= factors[q];
  }
  transpose(state.output, int64_t{kQueryTile<T>}, task.value_size, task.query_count, T(1),
            task.output, task.output_stride);
}

}  // namespace
}  // namespace foveal
