#pragma once
// What else a forward pass can give: its state before the division, and, in a second pass that
// knows each row's lse, the weights P themselves.

#include "kernels/forward/forward.h"

namespace foveal {
namespace {

/// Instead of forward_end: output not divided, maximum and sum, sinks included. A row without a key
/// gives (0, -inf, 0). The rows that may be wrong, as forward_end says.
template <class T>
uint64_t forward_end_state(const ForwardTask<T>& task) {
  const ForwardState<T> state(task);
  uint64_t doubtful = 0;
  for (int64_t q = 0; q < task.query_count; ++q) {
    const bool seen = state.sum[q] != 0;
    const double own = seen ? state.maximum[q] : -__builtin_inf();
    const double sink = task.sink == nullptr ? -__builtin_inf() : *task.sink;
    const T maximum = static_cast<T>(sink > own ? sink : own);
    const double factor =
        seen ? __builtin_exp(own - maximum) * __builtin_exp2(-residue_of(task, state, q)) : 0;
    double sum = seen ? state.sum[q] * factor : 0;
    if (sink != -__builtin_inf()) sum += __builtin_exp(sink - maximum);
    bool good = !is_doubtful(task, state, q) && is_finite(static_cast<T>(sum));
    T* row = task.output + q * task.output_stride;
    for (int64_t d = 0; d < task.value_size; ++d) {
      row[d] = static_cast<T>(state.output[place<T>(task.value_size, d, q)] * factor);
      good = good && is_finite(row[d]);
    }
    task.maximum[q] = maximum;
    task.sum[q] = static_cast<T>(sum);
    doubtful |= static_cast<uint64_t>(!good) << q;
  }
  return doubtful;
}

/// Against the row's own lse, which task.lse holds, scores become P at once, but for the rounding
/// of scores: their sums are near 1, and weights_factors makes them 1.
template <class T>
void weights_begin(const ForwardTask<T>& task) {
  forward_begin(task);
  const ForwardState<T> state(task);
  constexpr T kInfinity = __builtin_inf();
  for (int64_t q = 0; q < task.query_count; ++q) {
    const T lse = task.lse[q];
    // A row without a key has weights 0; one whose lse is infinite has no weights.
    state.maximum[q] = lse == -kInfinity ? 0 : lse == kInfinity ? T(__builtin_nan("")) : lse;
    state.shift[q] = state.maximum[q] * kLog2E<T>;
  }
  for (int q = 0; q < kQueryTile<T>; ++q) state.limit[q] = kInfinity;
}

/// Sets the weights of masked cells to 0: in a row with a NaN they aren't, and some no segment
/// holds.
template <class T>
void clear_masked(const ForwardState<T>& state, const KeyTile& tile) {
  for (int64_t k = 0; k < tile.count; ++k) {
    for (int64_t q = 0; q < kQueryTile<T>; ++q) {
      if ((tile.bits[k] >> q & 1) == 0) state.weights[place<T>(kKeyTile, k, q)] = 0;
    }
  }
}

/// The tile's weights, strip beside strip, as rows of keys, query_tile apart.
template <class T>
const T* rows_of_weights(const ForwardState<T>& state, int64_t count, const T* factors) {
  for (int64_t k = 0; k < count; ++k) {
    for (int64_t q = 0; q < kQueryTile<T>; ++q) {
      const T weight = state.weights[place<T>(kKeyTile, k, q)];
      state.rows[k * kQueryTile<T> + q] = factors == nullptr ? weight : weight * factors[q];
    }
  }
  return state.rows;
}

/// Sets the tile's scores to what a cell has that no segment holds.
template <class T>
void hide_cells(const ForwardState<T>& state) {
  for (int64_t n = 0; n < kKeyTile * kQueryTile<T>; ++n) state.weights[n] = kMasked<T>;
}

/// P of the tile's keys, [key][query], rows query_tile apart, times the row's factor unless
/// `factors` is null; valid until the next tile.
template <class T>
const T* weights_tile(const ForwardTask<T>& task, const KeyTile& tile, const T* factors) {
  const ForwardState<T> state(task);
  for (int strip = 0; strip * kStripLanes<T> < task.query_count; ++strip) {
    for_each_segment<T>(tile, strip, task.query_count, [&]<int C>(const Segment& segment) {
      score_rows<T, C>(task, state, tile, segment);
    });
  }
  if (tile.bits != nullptr) clear_masked(state, tile);
  return rows_of_weights(state, tile.count, factors);
}

/// After all tiles: what makes each row's weights, and its sink's share, sum to 1. query_tile
/// numbers.
template <class T>
void weights_factors(const ForwardTask<T>& task, T* factors) {
  const ForwardState<T> state(task);
  for (int64_t q = 0; q < kQueryTile<T>; ++q) {
    double sum = state.sum[q];
    if (task.sink != nullptr && *task.sink > -__builtin_inf()) {
      sum += __builtin_exp(static_cast<double>(*task.sink) - state.maximum[q]) *
             __builtin_exp2(residue_of(task, state, q));
    }
    // Weights of 0 and NaN stay what they are.
    factors[q] = sum > 0 ? static_cast<T>(1 / sum) : 1;
  }
}

/// One row of keys and all vectors of a strip: scores with all their terms.
template <class T, int C>
inline void keep_row_of_scores(const ForwardTask<T>& task, const ForwardState<T>& state,
                               const KeyTile& tile, const Segment& segment) {
  if (task.bias != nullptr) {
    lay_out_bias(task, segment.lane, C * kLanes<T>, tile.first + segment.rows.first,
                 segment.rows.last - segment.rows.first,
                 bias_rows(state, segment.rows.first, segment.lane));
  }
  for (int64_t row = segment.rows.first; row < segment.rows.last; ++row) {
    const Corner corner{row, segment.lane};
    Block<T, 1, C> scores;
    multiply<Plain<T>>(scores, row_at<T>(tile.key, row, task.key_stride), task.key_stride,
                       task.head_size, state.query + place<T>(task.head_size, 0, segment.lane),
                       kStripLanes<T>, nullptr);
    if (tile.key_scale != 1) scores.scale(static_cast<T>(tile.key_scale));
    make_scores(task, bias_rows(state, row, segment.lane), tile, corner, scores);
    scores.store_to(state.weights + place<T>(kKeyTile, row, segment.lane), kStripLanes<T>);
  }
}

/// Scores S of the tile's keys, with all their terms, those that are masked minus infinity: [key]
/// [query], rows query_tile apart; valid until the next tile. The task is begun by scores_begin.
template <class T>
const T* scores_tile(const ForwardTask<T>& task, const KeyTile& tile) {
  const ForwardState<T> state(task);
  if (tile.bits != nullptr) hide_cells(state);
  for (int strip = 0; strip * kStripLanes<T> < task.query_count; ++strip) {
    for_each_segment<T>(tile, strip, task.query_count, [&]<int C>(const Segment& segment) {
      keep_row_of_scores<T, C>(task, state, tile, segment);
    });
  }
  return rows_of_weights<T>(state, tile.count, nullptr);
}

template <class T>
void scores_begin(const ForwardTask<T>& task) {
  lay_out_query(task, ForwardState<T>(task), T(1));
}

}  // namespace
}  // namespace foveal
