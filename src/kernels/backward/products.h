#pragma once
// The three products that end in gradients: dV += P^T dO, dK += dS^T Q, dQ += dS K.

#include "kernels/backward/scores.h"

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

/// From the first to the last query that sees one of the keys row .. row + count - 1.
inline Range queries_range(const KeyTile& tile, int64_t row, int64_t count, int64_t query_count) {
  if (tile.bits == nullptr) return {0, query_count};
  const uint64_t seen = queries_seeing(tile, row, count);
  if (seen == 0) return {};
  return {__builtin_ctzll(seen), 64 - __builtin_clzll(seen)};
}

/// One of the products over queries: sum[k] += cells[k][q] * rows[q]; sums are `width` apart.
template <class T>
struct KeySums {
  const T* cells;
  const T* rows;
  int64_t row_stride;
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
    const Range queries = queries_range(tile, row, count, query_count);
    const int64_t first = queries.first, seen = queries.last - first;
    if (seen == 0) continue;
    const T* const cells = sums.cells + row * kQueryTile<T> + first;
    if (count == 4) {
      add_block<T, 4, C>({cells, kQueryTile<T>, 1}, rows + first * sums.row_stride, sums.row_stride,
                         seen, sum + row * sums.width, sums.width);
      continue;
    }
    for (int64_t r = 0; r < count; ++r) {
      add_block<T, 1, C>({cells + r * kQueryTile<T>, kQueryTile<T>, 1},
                         rows + first * sums.row_stride, sums.row_stride, seen,
                         sum + (row + r) * sums.width, sums.width);
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

/// Rows of keys that see the same vectors of a strip, from `first_vector` to its last.
struct KeyRun {
  int64_t first = 0, last = 0;
  int64_t first_vector = 0;
};

struct KeyRuns {
  KeyRun runs[kKeyTile / 4];
  int count = 0;
};

/// The tile's groups of four keys that the strip sees something of, those alike joined.
template <class T>
inline KeyRuns key_runs(const KeyTile& tile, int strip) {
  KeyRuns result;
  for (int64_t row = 0; row < tile.count; row += 4) {
    const int64_t last = tile.count - row < 4 ? tile.count : row + 4;
    const Range vectors = vectors_seeing<T>(tile, strip, row, last - row);
    if (vectors.last == 0) continue;
    KeyRun* const before = result.count == 0 ? nullptr : &result.runs[result.count - 1];
    if (before != nullptr && before->last == row && before->first_vector == vectors.first) {
      before->last = last;
    } else {
      result.runs[result.count++] = {row, last, vectors.first};
    }
  }
  return result;
}

/// Block::add_product for the vectors from First on.
template <int First, class T, int R, int C>
inline __attribute__((always_inline)) void add_from(Block<T, R, C>& block, const T* a,
                                                    int64_t a_step, const T* b, int64_t b_stride,
                                                    int64_t count) {
  for (int64_t k = 0; k < count; ++k) {
    Vector<T> column[C];
#pragma GCC unroll 16
    for (int c = First; c < C; ++c) column[c] = in_register(load(b + c * kLanes<T>));
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vector<T> value = broadcast(a[r]);
#pragma GCC unroll 16
      for (int c = First; c < C; ++c) block.at[r][c] += value * column[c];
    }
    a += a_step;
    b += b_stride;
  }
}

/// R rows of dQ^T, from row d of K^T on, for one strip.
template <class T, int R>
inline void add_query_rows(const BackwardState<T>& state, const T* key, int64_t key_stride,
                           const KeyRuns& runs, int lane, int64_t d) {
  constexpr int C = kQueryVectors;
  T* const sum = state.query_gradient + d * kQueryTile<T> + lane;
  Block<T, R, C> block;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) block.at[r][c] = load(sum + r * kQueryTile<T> + c * kLanes<T>);
  }
  for (int n = 0; n < runs.count; ++n) {
    const KeyRun& run = runs.runs[n];
    const T* const keys = key + run.first * key_stride + d;
    const T* const cells = state.score_gradients + run.first * kQueryTile<T> + lane;
    const int64_t count = run.last - run.first;
    from_vector(run.first_vector, [&]<int First>() __attribute__((always_inline)) {
      add_from<First>(block, keys, key_stride, cells, kQueryTile<T>, count);
    });
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) store(sum + r * kQueryTile<T> + c * kLanes<T>, block.at[r][c]);
  }
}

/// dQ^T[d] += K[k][d] * dS[k] over the tile's keys, for one strip.
template <class T>
void add_query_gradient(const BackwardTask<T>& task, const BackwardState<T>& state, const T* key,
                        int64_t key_stride, const KeyTile& tile, int strip) {
  const KeyRuns runs = key_runs<T>(tile, strip);
  const int lane = strip * kStripLanes<T>;
  int64_t d = 0;
  for (; d + 4 <= task.head_size; d += 4) {
    add_query_rows<T, 4>(state, key, key_stride, runs, lane, d);
  }
  for (; d < task.head_size; ++d) add_query_rows<T, 1>(state, key, key_stride, runs, lane, d);
}

}  // namespace
}  // namespace foveal
