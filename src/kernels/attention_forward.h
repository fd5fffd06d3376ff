#pragma once
// Attention forward, one tile of queries at a time, on S transposed: lanes are queries, so that the
// row maximum and sum need no reduction across lanes. Online softmax (Milakov and Gimelshein, 2018;
// Dao et al., FlashAttention, 2022) against a maximum that may be stale by up to 2^8.

#include "kernels/forward_scores.h"

namespace foveal {
namespace {

template <class T>
void forward_begin(const ForwardTask<T>& task) {
  const ForwardState<T> state(task);
  // With a softcap scores come out of the product as S / c, else in units of log2.
  const T factor = task.softcap > 0 ? task.scale / task.softcap : task.scale * kLog2E<T>;
  for (int64_t d = 0; d < task.head_size; ++d) {
    T* row = state.query + d * kQueryTile<T>;
    for (int64_t q = 0; q < kQueryTile<T>; ++q) {
      row[q] = q < task.query_count ? task.query[q * task.query_stride + d] * factor : 0;
    }
  }
  for (int64_t n = 0; n < task.value_size * kQueryTile<T>; ++n) state.output[n] = 0;
  for (int q = 0; q < kQueryTile<T>; ++q) {
    state.maximum[q] = 0;
    state.limit[q] = kUnset<T>;
    state.sum[q] = 0;
  }
}

/// Columns d .. d + R - 1 of V for one strip: O^T[d] += V[row][d] * P[row] over the rows.
template <class T, int R>
inline __attribute__((always_inline)) void add_columns(const ForwardState<T>& state, const T* value,
                                                       int64_t value_stride, int strip,
                                                       const RowRange& rows, int64_t d) {
  const int lane = strip * kStripLanes<T>;
  T* const output = state.output + d * kQueryTile<T> + lane;
  Scores<T, R> block;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kQueryVectors; ++v) {
      block.at[r][v] = load(output + r * kQueryTile<T> + v * kLanes<T>);
    }
  }
  block.add_product({value + rows.first * value_stride + d, 1, value_stride},
                    state.weights + rows.first * kQueryTile<T> + lane, kQueryTile<T>,
                    rows.last - rows.first);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kQueryVectors; ++v) {
      store(output + r * kQueryTile<T> + v * kLanes<T>, block.at[r][v]);
    }
  }
}

template <class T>
void add_values(const ForwardTask<T>& task, const ForwardState<T>& state, const T* value,
                int64_t value_stride, int strip, const RowRange& rows) {
  int64_t d = 0;
  for (; d + 4 <= task.value_size; d += 4) {
    add_columns<T, 4>(state, value, value_stride, strip, rows, d);
  }
  for (; d < task.value_size; ++d) {
    add_columns<T, 1>(state, value, value_stride, strip, rows, d);
  }
}

/// Bit k is set where row k of the tile's V holds a NaN or infinity.
template <class T>
uint64_t rows_not_finite(const ForwardTask<T>& task, const T* value, int64_t count) {
  uint64_t rows = 0;
  for (int64_t k = 0; k < count; ++k) {
    const bool finite = is_finite_row(value + k * task.value_stride, task.value_size);
    if (!finite) rows |= uint64_t{1} << k;
  }
  return rows;
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

/// The skipped rows, for the queries alone that see them: 0 times infinity would be NaN.
template <class T>
void add_skipped_rows(const ForwardTask<T>& task, const ForwardState<T>& state, const KeyTile& tile,
                      const T* value, uint64_t skipped) {
  for (int64_t k = 0; k < tile.count; ++k) {
    if (((skipped >> k) & 1) == 0) continue;
    for (int64_t q = 0; q < task.query_count; ++q) {
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
  const uint64_t skipped = tile.bits == nullptr ? 0 : rows_not_finite(task, value, tile.count);
  if (skipped != 0) copy_finite_rows(task, state, value, tile.count, skipped);
  for (int strip = 0; strip * kStripLanes<T> < task.query_count; ++strip) {
    const RowRange rows = score_strip(task, state, tile, strip);
    if (rows.first == rows.last) continue;
    if (skipped == 0) {
      add_values(task, state, value, task.value_stride, strip, rows);
    } else {
      const RowRange from_first{0, rows.last};
      clear_weights(state, strip, 0, rows.first);
      add_values(task, state, state.value, task.value_size, strip, from_first);
      clear_weights(state, strip, rows.last, tile.count - rows.last);
    }
  }
  if (skipped != 0) add_skipped_rows(task, state, tile, value, skipped);
}

/// Divides by the sums, sinks included, and writes output and lse.
template <class T>
void forward_end(const ForwardTask<T>& task) {
  const ForwardState<T> state(task);
  for (int64_t q = 0; q < task.query_count; ++q) {
    double maximum = state.maximum[q], sum = state.sum[q], kept = 1;
    if (task.sink != nullptr) {
      const double sink = static_cast<double>(*task.sink) * kLog2E<double>;
      const double top = sum == 0 || sink > maximum ? sink : maximum;
      kept = sum == 0 ? 0 : __builtin_exp2(maximum - top);
      sum = sum * kept + __builtin_exp2(sink - top);
      maximum = top;
    }
    const double factor = sum == 0 ? 0 : kept / sum;
    T* row = task.output + q * task.output_stride;
    for (int64_t d = 0; d < task.value_size; ++d) {
      row[d] = static_cast<T>(state.output[d * kQueryTile<T> + q] * factor);
    }
    if (task.lse != nullptr) {
      task.lse[q] = static_cast<T>((maximum + __builtin_log2(sum)) * kLn2);
    }
  }
}

}  // namespace
}  // namespace foveal
