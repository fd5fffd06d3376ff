#pragma once
// Attention forward, one tile of queries at a time, on S transposed: lanes are queries, so that the
// row maximum and sum need no reduction across lanes. Online softmax (Milakov and Gimelshein, 2018;
// Dao et al., FlashAttention, 2022) against a maximum that may be stale by up to 2^8, or
// ahead of what ALiBi is about to lift scores to (forward_maximum.h).

#include "kernels/finite_rows.h"
#include "kernels/forward/scores.h"
#include "kernels/products/transpose.h"

namespace foveal {
namespace {

/// Q^T strip by strip, times `factor`; zeros past the last query.
template <class T>
void lay_out_query(const ForwardTask<T>& task, const ForwardState<T>& state, T factor) {
  for (int64_t first = 0; first < kQueryTile<T>; first += kStripLanes<T>) {
    const int64_t left = task.query_count - first;
    const int64_t count = left < 0 ? 0 : left < kStripLanes<T> ? left : kStripLanes<T>;
    T* const strip = state.query + place<T>(task.head_size, 0, first);
    if (count < kStripLanes<T>) clear_from<T, kStripLanes<T>>(count, task.head_size, strip);
    transpose(task.query + first * task.query_stride, task.query_stride, count, task.head_size,
              factor, strip, int64_t{kStripLanes<T>});
  }
}

template <class T>
void forward_begin(const ForwardTask<T>& task) {
  const ForwardState<T> state(task);
  lay_out_query(task, state, is_simple(task) ? task.scale : T(1));
  for (int64_t n = 0; n < task.value_size * kQueryTile<T>; ++n) state.output[n] = 0;
  if (task.observation != nullptr) begin_observation(task);
  for (int q = 0; q < kQueryTile<T>; ++q) {
    state.maximum[q] = 0;
    state.shift[q] = 0;
    state.limit[q] = kMasked<T>;
    state.sum[q] = 0;
  }
}

/// O^T[d] += V[row][d] * P[row] for a segment's rows.
template <class T, int C>
void add_values(const ForwardTask<T>& task, const ForwardState<T>& state, const T* value,
                int64_t value_stride, const Segment& segment) {
  constexpr int R = keys_per_block(C);
  const auto [first, last] = segment.rows;
  const T* const weights = state.weights + place<T>(kKeyTile, first, segment.lane);
  T* const output = state.output + place<T>(task.value_size, 0, segment.lane);
  value += first * value_stride;
  int64_t d = 0;
  for (; d + R <= task.value_size; d += R) {
    add_whole_block<Plain<T>, R, C>(MatrixRows<T>{value + d, 1, value_stride}, weights,
                                    kStripLanes<T>, last - first, output + d * kStripLanes<T>,
                                    kStripLanes<T>);
  }
  for (; d < task.value_size; ++d) {
    add_whole_block<Plain<T>, 1, C>(MatrixRows<T>{value + d, 1, value_stride}, weights,
                                    kStripLanes<T>, last - first, output + d * kStripLanes<T>,
                                    kStripLanes<T>);
  }
}

/// The skipped rows of a segment, for the queries alone that see them: 0 times infinity would be
/// NaN.
template <class T>
void add_skipped_rows(const ForwardTask<T>& task, const ForwardState<T>& state, const KeyTile& tile,
                      uint64_t skipped, const Segment& segment) {
  const auto& [rows, lane, vectors] = segment;
  const uint64_t keys = skipped & lane_bits(static_cast<int>(rows.first), rows.last - rows.first);
  const uint64_t queries = lane_bits(lane, vectors * kLanes<T>) & lane_bits(0, task.query_count);
  for_cells(tile, keys, queries, [&](int64_t k, int64_t q) {
    const T weight = state.weights[place<T>(kKeyTile, k, q)] * static_cast<T>(tile.value_scale);
    add_row(weight, row_at<T>(tile.value, k, task.value_stride), task.value_size,
            state.output + place<T>(task.value_size, 0, q), kStripLanes<T>);
  });
}

template <class T>
void forward_tile(const ForwardTask<T>& task, const KeyTile& tile) {
  const ForwardState<T> state(task);
  const T* const value = static_cast<const T*>(tile.value);
  const uint64_t skipped =
      tile.bits == nullptr ? 0
                           : rows_not_finite(value, task.value_stride, tile.count, task.value_size);
  const bool copied = skipped != 0 || tile.value_scale != 1;
  if (copied) {
    copy_rows(value, task.value_stride, tile.count, task.value_size, skipped,
              static_cast<T>(tile.value_scale), task.value_size, state.value);
  }
  for (int strip = 0; strip * kStripLanes<T> < task.query_count; ++strip) {
    for_each_segment<T>(tile, strip, task.query_count, [&]<int C>(const Segment& segment) {
      score_rows<T, C>(task, state, tile, segment);
      if (copied) {
        add_values<T, C>(task, state, state.value, task.value_size, segment);
      } else {
        add_values<T, C>(task, state, value, task.value_stride, segment);
      }
      if (skipped != 0) add_skipped_rows(task, state, tile, skipped, segment);
    });
  }
}

constexpr double kLn2 = 0.69314718055994530942;

/// One query's share: what its output is multiplied by, and its lse.
struct RowEnd {
  double factor, lse;
};

/// The row's sum is of weights that are 2^residue times what they are against its maximum.
template <class T>
inline RowEnd end_row(const ForwardTask<T>& task, double maximum, double sum, double residue) {
  double kept = 1;
  if (task.sink != nullptr) {
    kept = residue == 0 ? 1 : __builtin_exp2(-residue);
    residue = 0;
    const double sink = static_cast<double>(*task.sink);
    const double top = sum == 0 || sink > maximum ? sink : maximum;
    kept = sum == 0 ? 0 : kept * __builtin_exp(maximum - top);
    sum = sum * kept + (sink == -__builtin_inf() ? 0 : __builtin_exp(sink - top));
    maximum = top;
  }
  return {sum == 0 ? 0 : kept / sum,
          task.lse == nullptr ? 0 : maximum + (__builtin_log(sum) - residue * kLn2)};
}

template <class T>
inline bool is_finite(T number) {
  return number - number == 0;
}

/// Multiplies one strip of O^T by its rows' factors. The queries, a bit each from the strip's first
/// on, for which a number came out that is not finite.
template <class T>
uint64_t scale_output(T* strip, int64_t value_size, const T* factors) {
  Vector<T> zeros[kQueryVectors] = {};
  for (int64_t d = 0; d < value_size; ++d) {
#pragma GCC unroll 16
    for (int v = 0; v < kQueryVectors; ++v) {
      T* const at = strip + d * kStripLanes<T> + v * kLanes<T>;
      const Vector<T> number = load(at) * load(factors + v * kLanes<T>);
      zeros[v] += number * 0;
      store(at, number);
    }
  }
  uint64_t wrong = 0;
  for (int v = 0; v < kQueryVectors; ++v) {
    if (!any(zeros[v] != 0)) continue;
    for (int n = 0; n < kLanes<T>; ++n) {
      wrong |= static_cast<uint64_t>(!is_finite(zeros[v][n])) << (v * kLanes<T> + n);
    }
  }
  return wrong;
}

/// By which power of 2 plain weights differ from those against the row's maximum: its product with
/// log2(e) was rounded.
template <class T>
inline double residue_of(const ForwardTask<T>& task, const ForwardState<T>& state, int64_t q) {
  if (!kFusesProducts || !is_weighed_plainly(task)) return 0;
  return __builtin_fma(static_cast<double>(state.maximum[q]), kLog2E<T>, -state.shift[q]);
}

/// Whether a row's sum may be wrong: where a NaN or infinity came up the formula may still give a
/// number, and a large maximum is too much for plain weighing.
template <class T>
inline bool is_doubtful(const ForwardTask<T>& task, const ForwardState<T>& state, int64_t q) {
  const bool large = !(__builtin_fabs(state.maximum[q]) < kLargeMaximum<T>);
  return !is_finite(state.sum[q]) || (large && is_weighed_plainly(task));
}

/// Divides by the sums, sinks included, and writes output and lse. The queries, a bit each, whose
/// row may be wrong.
template <class T>
uint64_t forward_end(const ForwardTask<T>& task) {
  const ForwardState<T> state(task);
  T factors[kQueryTile<T>] = {};
  uint64_t doubtful = 0;
  for (int64_t q = 0; q < task.query_count; ++q) {
    doubtful |= static_cast<uint64_t>(is_doubtful(task, state, q)) << q;
    const RowEnd end = end_row(task, state.maximum[q], state.sum[q], residue_of(task, state, q));
    factors[q] = static_cast<T>(end.factor);
    if (task.observation != nullptr) end_observation(task, state, q, end.factor);
    if (task.lse != nullptr) task.lse[q] = static_cast<T>(end.lse);
  }
  for (int64_t first = 0; first < task.query_count; first += kStripLanes<T>) {
    T* const strip = state.output + place<T>(task.value_size, 0, first);
    doubtful |= scale_output(strip, task.value_size, factors + first) << first;
    const int64_t left = task.query_count - first;
    transpose(strip, int64_t{kStripLanes<T>}, task.value_size,
              left < kStripLanes<T> ? left : kStripLanes<T>, T(1),
              task.output + first * task.output_stride, task.output_stride);
  }
  return doubtful & (~uint64_t{0} >> (64 - task.query_count));
}

}  // namespace
}  // namespace foveal
