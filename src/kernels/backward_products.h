#pragma once
// The three products that end in gradients: dV += P^T dO, dK += dS^T Q, dQ += dS K.

#include "kernels/backward_scores.h"

namespace foveal {
namespace {

/// sum[r] += a(r, k) * b[k] for R rows of C vectors; rows of sum begin sum_stride apart.
template <class T, int R, int C>
inline __attribute__((always_inline)) void add_block(const Rows<T>& a, const T* b, int64_t b_stride,
                                                     int64_t count, T* sum, int64_t sum_stride) {
  Block<T, R, C> block;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) block.at[r][c] = load(sum + r * sum_stride + c * kLanes<T>);
  }
  block.add_product(a, b, b_stride, count);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) store(sum + r * sum_stride + c * kLanes<T>, block.at[r][c]);
  }
}

struct Range {
  int64_t first = 0, last = 0;
};

/// From the first to the last query that sees one of the keys row .. row + count - 1.
inline Range queries_that_see(const KeyTile& tile, int64_t row, int64_t count,
                              int64_t query_count) {
  if (tile.bits == nullptr) return {0, query_count};
  uint64_t seen = 0;
  for (int64_t r = row; r < row + count; ++r) seen |= tile.bits[r];
  if (seen == 0) return {};
  return {__builtin_ctzll(seen), 64 - __builtin_clzll(seen)};
}

/// From the first to the last key that a query of the strip sees.
template <class T>
inline Range keys_seen(const KeyTile& tile, int strip) {
  Range range{0, tile.count};
  while (range.first < range.last && !strip_sees<T>(tile, strip, range.first, 1)) ++range.first;
  while (range.first < range.last && !strip_sees<T>(tile, strip, range.last - 1, 1)) --range.last;
  return range;
}

/// One of the products over queries: sum[k] += cells[k][q] * rows[q]; rows and sums are `width`
/// apart.
template <class T>
struct KeySums {
  const T* cells;
  const T* rows;
  T* sum;
  int64_t width;
};

/// The C vectors of columns that begin at `column`.
template <class T, int C>
void add_key_columns(const KeySums<T>& sums, const KeyTile& tile, int64_t query_count,
                     int64_t column) {
  const T* const rows = sums.rows + column;
  T* const sum = sums.sum + column;
  for (int64_t row = 0; row < tile.count; row += 4) {
    const int64_t count = tile.count - row < 4 ? tile.count - row : 4;
    const Range queries = queries_that_see(tile, row, count, query_count);
    const int64_t first = queries.first, seen = queries.last - first;
    if (seen == 0) continue;
    const T* const cells = sums.cells + row * kQueryTile<T> + first;
    if (count == 4) {
      add_block<T, 4, C>({cells, kQueryTile<T>, 1}, rows + first * sums.width, sums.width, seen,
                         sum + row * sums.width, sums.width);
      continue;
    }
    for (int64_t r = 0; r < count; ++r) {
      add_block<T, 1, C>({cells + r * kQueryTile<T>, kQueryTile<T>, 1}, rows + first * sums.width,
                         sums.width, seen, sum + (row + r) * sums.width, sums.width);
    }
  }
}

/// All columns, in groups of nearly equal width: a lone vector would leave the units waiting.
template <class T>
void add_keys(const KeySums<T>& sums, const KeyTile& tile, int64_t query_count) {
  for (int64_t column = 0; column < sums.width;) {
    const int64_t left = (sums.width - column) / kLanes<T>;
    const int64_t groups = (left + kQueryVectors - 1) / kQueryVectors;
    const int64_t vectors = (left + groups - 1) / groups;
    switch (vectors) {
      case 1:
        add_key_columns<T, 1>(sums, tile, query_count, column);
        break;
      case 2:
        add_key_columns<T, 2>(sums, tile, query_count, column);
        break;
      case 3:
        add_key_columns<T, 3>(sums, tile, query_count, column);
        break;
      default:
        add_key_columns<T, kQueryVectors>(sums, tile, query_count, column);
        break;
    }
    column += vectors * kLanes<T>;
  }
}

/// dQ^T[d] += K[k][d] * dS[k] over the tile's keys, for one strip.
template <class T>
void add_query_gradient(const BackwardTask<T>& task, const BackwardState<T>& state, const T* key,
                        int64_t key_stride, const KeyTile& tile, int strip) {
  const Range keys = keys_seen<T>(tile, strip);
  const int lane = strip * kStripLanes<T>;
  const T* const cells = state.score_gradients + keys.first * kQueryTile<T> + lane;
  T* const sum = state.query_gradient + lane;
  const T* const first = key + keys.first * key_stride;
  const int64_t count = keys.last - keys.first;
  int64_t d = 0;
  for (; d + 4 <= task.head_size; d += 4) {
    add_block<T, 4, kQueryVectors>({first + d, 1, key_stride}, cells, kQueryTile<T>, count,
                                   sum + d * kQueryTile<T>, kQueryTile<T>);
  }
  for (; d < task.head_size; ++d) {
    add_block<T, 1, kQueryVectors>({first + d, 1, key_stride}, cells, kQueryTile<T>, count,
                                   sum + d * kQueryTile<T>, kQueryTile<T>);
  }
}

}  // namespace
}  // namespace foveal
