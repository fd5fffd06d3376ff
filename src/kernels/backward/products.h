#pragma once
// The three products that end in gradients: dV += P^T dO, dK += dS^T Q, dQ += dS K.

#include "kernels/backward/scores.h"

namespace foveal {
namespace {

/// From the first to the last query that sees one of the keys row .. row + count - 1.
inline Range queries_range(const KeyTile& tile, int64_t row, int64_t count, int64_t query_count) {
  if (tile.bits == nullptr) return {0, query_count};
  const uint64_t seen = queries_seeing(tile, row, count);
  if (seen == 0) return {};
  return {__builtin_ctzll(seen), 64 - __builtin_clzll(seen)};
}

/// One of the products over queries: sum[k] += cells[k][q] * rows[q]; sums are `width` apart.
template <class Math>
struct KeySums {
  const typename Math::Number* cells;
  const typename Math::Column* rows;
  int64_t row_stride;
  typename Math::Sum* sum;
  int64_t width;
};

/// The C vectors of columns that begin at `column`.
template <class Math, int C>
void add_key_columns(const KeySums<Math>& sums, const KeyTile& tile, int64_t query_count,
                     int64_t column) {
  using Number = typename Math::Number;
  constexpr int N = Math::kNumbers;
  constexpr int64_t kTile = kQueryTile<typename Math::Sum>;
  const auto* const rows = sums.rows + column;
  auto* const sum = sums.sum + column;
  for (int64_t row = 0; row < tile.count; row += 4) {
    const int64_t count = tile.count - row < 4 ? tile.count - row : 4;
    const Range queries = queries_range(tile, row, count, query_count);
    const int64_t first = queries.first / N, seen = (queries.last + N - 1) / N - first;
    if (seen == 0) continue;
    const Number* const cells = sums.cells + row * kTile + first * N;
    if (count == 4) {
      add_whole_block<Math, 4, C>(MatrixRows<Number>{cells, kTile, N},
                                  rows + first * sums.row_stride, sums.row_stride, seen,
                                  sum + row * sums.width, sums.width);
      continue;
    }
    for (int64_t r = 0; r < count; ++r) {
      add_whole_block<Math, 1, C>(MatrixRows<Number>{cells + r * kTile, kTile, N},
                                  rows + first * sums.row_stride, sums.row_stride, seen,
                                  sum + (row + r) * sums.width, sums.width);
    }
  }
}

/// All columns, in groups of nearly equal width: a lone vector would leave the units waiting.
template <class Math>
void add_keys(const KeySums<Math>& sums, const KeyTile& tile, int64_t query_count) {
  constexpr int64_t kLane = kLanes<typename Math::Sum>;
  for (int64_t column = 0; column < sums.width;) {
    const int64_t left = (sums.width - column) / kLane;
    const int64_t groups = (left + kQueryVectors - 1) / kQueryVectors;
    const int64_t vectors = (left + groups - 1) / groups;
    with_vectors(vectors,
                 [&]<int C>() { add_key_columns<Math, C>(sums, tile, query_count, column); });
    column += vectors * kLane;
  }
}

/// The tile's groups of four keys that the strip sees something of, those alike joined, with rows
/// of K `step` apart and the columns of dS.
template <class Math>
inline KeyRuns<typename Math::Column> key_runs(const KeyTile& tile, int strip,
                                               const typename Math::Column* rows, int64_t step,
                                               const typename Math::Column* columns) {
  using T = typename Math::Sum;
  constexpr int N = Math::kNumbers;
  KeyRuns<typename Math::Column> runs;
  runs.row_step = step;
  runs.column_stride = kQueryTile<T>;
  for (int64_t row = 0; row < tile.count; row += 4) {
    const int64_t count = tile.count - row < 4 ? tile.count - row : 4;
    const Range vectors = vectors_seeing<T>(tile, strip, row, count);
    if (vectors.last == 0) continue;
    runs.add({rows + row / N * step, columns + row / N * kQueryTile<T>, (count + N - 1) / N,
              static_cast<int>(vectors.first)});
  }
  return runs;
}

/// dQ^T[d] += K[k][d] * dS[k] over the tile's keys, for one strip. K and dS as for key_runs, sums
/// with a lane a query.
template <class Math>
void add_query_gradient(const KeyTile& tile, int strip, const typename Math::Column* rows,
                        int64_t step, const typename Math::Column* columns, int64_t head_size,
                        typename Math::Sum* sum) {
  using T = typename Math::Sum;
  const int lane = strip * kStripLanes<T>;
  const auto runs = key_runs<Math>(tile, strip, rows, step, columns + lane);
  add_runs<Math>(runs, head_size, sum + lane, kQueryTile<T>);
}

}  // namespace
}  // namespace foveal
