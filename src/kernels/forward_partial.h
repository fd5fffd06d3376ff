#pragma once
// What else a forward pass can give: its state before the division, and, in a second pass that
// knows each row's lse, the weights P themselves.

#include "kernels/attention_forward.h"

namespace foveal {
namespace {

/// Instead of forward_end: output not divided, maximum and sum, sinks included. A row without a key
/// gives (0, -inf, 0).
template <class T>
void forward_end_state(const ForwardTask<T>& task) {
  const ForwardState<T> state(task);
  for (int64_t q = 0; q < task.query_count; ++q) {
    const double own = state.sum[q] == 0 ? -__builtin_inf() : state.maximum[q] * kLn2;
    const double sink = task.sink == nullptr ? -__builtin_inf() : *task.sink;
    const T maximum = static_cast<T>(sink > own ? sink : own);
    // The maximum is rounded: sum and output are made to fit what it has become.
    const double factor = state.sum[q] == 0 ? 0 : __builtin_exp(own - maximum);
    double sum = state.sum[q] == 0 ? 0 : state.sum[q] * factor;
    if (task.sink != nullptr) sum += __builtin_exp(sink - maximum);
    T* row = task.output + q * task.output_stride;
    for (int64_t d = 0; d < task.value_size; ++d) {
      row[d] = static_cast<T>(state.output[d * kQueryTile<T> + q] * factor);
    }
    task.maximum[q] = maximum;
    task.sum[q] = static_cast<T>(sum);
  }
}

/// Against the row's own lse, which task.lse holds, scores become P at once, but for the rounding
/// of scores: their sums are near 1, and weights_factors makes them 1.
template <class T>
void weights_begin(const ForwardTask<T>& task) {
  forward_begin(task);
  const ForwardState<T> state(task);
  for (int64_t q = 0; q < task.query_count; ++q) {
    const double lse = task.lse[q];
    // A row without a key has weights 0; one whose lse is infinite has no weights.
    const double shift = lse == -__builtin_inf()  ? -kMasked<double>
                         : lse == __builtin_inf() ? __builtin_nan("")
                                                  : lse * kLog2E<double>;
    state.maximum[q] = static_cast<T>(shift);
  }
  for (int q = 0; q < kQueryTile<T>; ++q) state.limit[q] = static_cast<T>(__builtin_inf());
}

/// P of the tile's keys, [key][query], rows query_tile apart, times the row's factor unless
/// `factors` is null; valid until the next tile.
template <class T>
const T* weights_tile(const ForwardTask<T>& task, const KeyTile& tile, const T* factors) {
  const ForwardState<T> state(task);
  const int64_t count = tile.count * kQueryTile<T>;
  for (int64_t n = 0; n < count && tile.bits != nullptr; ++n) state.weights[n] = 0;
  for (int strip = 0; strip * kStripLanes<T> < task.query_count; ++strip) {
    for_each_segment<T>(tile, strip, [&]<int C>(const Segment& segment) {
      score_rows<T, C>(task, state, tile, segment);
    });
  }
  for (int64_t n = 0; n < count && factors != nullptr; ++n) {
    state.weights[n] *= factors[n % kQueryTile<T>];
  }
  return state.weights;
}

/// After all tiles: what makes each row's weights, and its sink's share, sum to 1. query_tile
/// numbers.
template <class T>
void weights_factors(const ForwardTask<T>& task, T* factors) {
  const ForwardState<T> state(task);
  for (int64_t q = 0; q < kQueryTile<T>; ++q) {
    double sum = state.sum[q];
    if (task.sink != nullptr) sum += __builtin_exp2(*task.sink * kLog2E<double> - state.maximum[q]);
    // Weights of 0 and NaN stay what they are.
    factors[q] = sum > 0 ? static_cast<T>(1 / sum) : 1;
  }
}

}  // namespace
}  // namespace foveal
