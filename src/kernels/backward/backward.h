#pragma once
// Attention backward, one block of keys at a time: tiles of queries outside, tiles of keys inside.
// P is computed again from lse (Dao et al., FlashAttention, 2022). P and dS are stored with a lane
// a query; dV and dK add to the block's sums, dQ to the tile's.

#include "kernels/backward/products.h"
#include "kernels/finite_rows.h"
#include "kernels/products/transpose.h"

namespace foveal {
namespace {

/// to[d][q] = from[q][d] * factor; 0 past the last query.
template <class T>
void copy_columns(const T* from, int64_t stride, int64_t count, int64_t size, T factor, T* to) {
  if (count < kQueryTile<T>) clear_from<T, kQueryTile<T>>(count, size, to);
  transpose(from, stride, count, size, factor, to, int64_t{kQueryTile<T>});
}

/// The sums over d of dO times O, as a vector of partial sums. Where O is 0 a fully masked row may
/// hold anything in dO.
template <class T, class S>
inline Vector<T> partial_delta(const S* gradient, const S* output, int64_t size) {
  Vector<T> sums{};
  const auto add = [&sums](Vector<T> o, Vector<T> g) { sums += o == 0 ? Vector<T>{} : o * g; };
  int64_t d = 0;
  for (; d + kLanes<T> <= size; d += kLanes<T>) {
    add(load_wide<T>(output + d), load_wide<T>(gradient + d));
  }
  if (d < size) add(load_wide<T>(output + d, size - d), load_wide<T>(gradient + d, size - d));
  return sums;
}

/// delta of the tile's queries from `first` on, a lane each; 0 past the last. O and dO are those of
/// the tile's first query, stored as S.
template <class T, class S>
Vector<T> deltas(const BackwardTask<T>& task, const S* gradient, const S* output, int64_t first) {
  Vector<T> rows[kLanes<T>] = {};
  for (int64_t n = 0; n < kLanes<T> && first + n < task.query_count; ++n) {
    const int64_t q = first + n;
    rows[n] = partial_delta<T>(gradient + q * task.output_gradient_stride,
                               output + q * task.output_stride, task.value_size);
  }
  turn<T, kLanes<T> / 2>(rows);
  for (int half = kLanes<T> / 2; half > 0; half /= 2) {
    for (int n = 0; n < half; ++n) rows[n] += rows[n + half];
  }
  return rows[0];
}

template <class T>
void backward_block_begin(const BackwardTask<T>& task) {
  const BackwardState<T> state(task);
  clear(state.key_gradient, task.key_count * padded<T>(task.head_size));
  clear(state.value_gradient, task.key_count * padded<T>(task.value_size));
}

/// The rows that dK and dV are made from: in place where they are finite and whole vectors, else
/// copied, those that are not finite as zeros.
template <class T>
void find_rows(BackwardTask<T>& task, const BackwardState<T>& state) {
  const int64_t count = task.query_count, d = task.head_size, dv = task.value_size;
  const uint64_t aside =
      rows_not_finite(task.query, task.query_stride, count, d) |
      rows_not_finite(task.output_gradient, task.output_gradient_stride, count, dv);
  task.queries_not_finite = aside;
  task.rows_in_place = aside == 0 && d == padded<T>(d) && dv == padded<T>(dv);
  if (task.rows_in_place) return;
  copy_rows(task.query, task.query_stride, count, d, aside, T(1), padded<T>(d), state.query_rows);
  copy_rows(task.output_gradient, task.output_gradient_stride, count, dv, aside, T(1),
            padded<T>(dv), state.output_gradient_rows);
}

/// delta and lse of the tile's queries; their gradient begins at 0.
template <class T, class S>
void start_queries(const BackwardTask<T>& task, const BackwardState<T>& state, const S* gradient,
                   const S* output) {
  for (int64_t q = 0; q < kQueryTile<T>; q += kLanes<T>) {
    store(state.delta + q, deltas(task, gradient, output, q));
  }
  for (int64_t q = 0; q < kQueryTile<T>; ++q) {
    // -inf: P is 0 throughout.
    const bool sees = q < task.query_count && task.lse[q] != -__builtin_inf();
    state.lse[q] = sees ? task.lse[q] : T(__builtin_inf());
    state.scaled_lse[q] = state.lse[q] * kLog2E<T>;
  }
  clear(state.query_gradient, task.head_size * kQueryTile<T>);
}

/// Q and dO as columns, and as the rows that dK and dV are made from.
template <class T>
void lay_out_queries(BackwardTask<T>& task, const BackwardState<T>& state) {
  const int64_t count = task.query_count, d = task.head_size, dv = task.value_size;
  find_rows(task, state);
  copy_columns(task.query, task.query_stride, count, d, is_simple(task) ? task.scale : T(1),
               state.query_columns);
  copy_columns(task.output_gradient, task.output_gradient_stride, count, dv, T(1),
               state.output_gradient_columns);
}

template <class T>
void backward_begin(BackwardTask<T>& task) {
  const BackwardState<T> state(task);
  lay_out_queries(task, state);
  start_queries(task, state, task.output_gradient, task.output);
}

/// Bit k is set where row k of the tile's K holds a NaN or infinity; K is then copied into the
/// state, those rows as zeros.
template <class T>
uint64_t set_keys_aside(const BackwardTask<T>& task, const BackwardState<T>& state,
                        const KeyTile& tile) {
  const T* const key = static_cast<const T*>(tile.key);
  const uint64_t rows = rows_not_finite(key, task.key_stride, tile.count, task.head_size);
  if (rows != 0) {
    copy_rows(key, task.key_stride, tile.count, task.head_size, rows, T(1), task.head_size,
              state.key);
  }
  return rows;
}

/// What the rows set aside add, for the cells alone that see them: 0 times infinity would be NaN.
template <class T>
void add_rows_set_aside(const BackwardTask<T>& task, const BackwardState<T>& state,
                        const KeyTile& tile, uint64_t keys, T* key_gradient, T* value_gradient) {
  const int64_t d = padded<T>(task.head_size), dv = padded<T>(task.value_size);
  for_cells(tile, ~uint64_t{0}, task.queries_not_finite, [&](int64_t k, int64_t q) {
    const int64_t at = k * kQueryTile<T> + q;
    add_row(state.score_gradients[at], task.query + q * task.query_stride, task.head_size,
            key_gradient + k * d, 1);
    add_row(state.weights[at], task.output_gradient + q * task.output_gradient_stride,
            task.value_size, value_gradient + k * dv, 1);
  });
  for_cells(tile, keys, lane_bits(0, task.query_count), [&](int64_t k, int64_t q) {
    add_row(state.score_gradients[k * kQueryTile<T> + q], row_at<T>(tile.key, k, task.key_stride),
            task.head_size, state.query_gradient + q, kQueryTile<T>);
  });
}

template <class T>
void backward_tile(const BackwardTask<T>& task, const KeyTile& tile) {
  const BackwardState<T> state(task);
  const uint64_t aside = tile.bits == nullptr ? 0 : set_keys_aside(task, state, tile);
  const T* const key = aside == 0 ? static_cast<const T*>(tile.key) : state.key;
  const int64_t key_stride = aside == 0 ? task.key_stride : task.head_size;
  const int64_t d = padded<T>(task.head_size), dv = padded<T>(task.value_size);
  T* const key_gradient = state.key_gradient + (tile.first - task.first_key) * d;
  T* const value_gradient = state.value_gradient + (tile.first - task.first_key) * dv;
  const int strips = static_cast<int>((task.query_count + kStripLanes<T> - 1) / kStripLanes<T>);
  for (int strip = 0; strip < strips; ++strip) {
    take_strip<T, Step::weigh>(task, state, tile, strip);
    take_strip<T, Step::differentiate>(task, state, tile, strip);
  }
  const bool in_place = task.rows_in_place;
  add_keys<Plain<T>>({state.weights, in_place ? task.output_gradient : state.output_gradient_rows,
                      in_place ? task.output_gradient_stride : dv, value_gradient, dv},
                     tile, task.query_count);
  add_keys<Plain<T>>({state.score_gradients, in_place ? task.query : state.query_rows,
                      in_place ? task.query_stride : d, key_gradient, d},
                     tile, task.query_count);
  for (int strip = 0; strip < strips; ++strip) {
    add_query_gradient<Plain<T>>(tile, strip, key, key_stride, state.score_gradients,
                                 task.head_size, state.query_gradient);
  }
  if ((aside | task.queries_not_finite) != 0) {
    add_rows_set_aside(task, state, tile, aside, key_gradient, value_gradient);
  }
}

/// Writes what the block adds to the gradient of the tile's queries.
template <class T>
void backward_end(const BackwardTask<T>& task) {
  const BackwardState<T> state(task);
  transpose(state.query_gradient, int64_t{kQueryTile<T>}, task.head_size, task.query_count,
            task.scale, task.query_gradient, task.query_gradient_stride);
}

template <class T>
inline void write_row(const T* from, int64_t size, T factor, T* to) {
  copy_row(from, size, factor, to, size);
}

/// Writes the gradients of the block's keys and values, as N: T, or whatever has a write_row.
template <class T, class N>
void write_block(const BackwardTask<T>& task, N* key_gradient, N* value_gradient) {
  const BackwardState<T> state(task);
  const int64_t d = task.head_size, dv = task.value_size;
  for (int64_t k = 0; k < task.key_count; ++k) {
    write_row(state.key_gradient + k * padded<T>(d), d, task.scale,
              key_gradient + k * task.key_gradient_stride);
    write_row(state.value_gradient + k * padded<T>(dv), dv, T(1),
              value_gradient + k * task.value_gradient_stride);
  }
}

template <class T>
void backward_block_end(const BackwardTask<T>& task) {
  write_block(task, task.key_gradient, task.value_gradient);
}

}  // namespace
}  // namespace foveal
