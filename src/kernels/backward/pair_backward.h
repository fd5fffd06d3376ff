#pragma once
// Attention backward for bfloat16: the five products by pairs, with float32 sums. Tiles with rows
// that aren't finite, with terms beside the product, or of odd length are widened and take the
// float32 way: both add to the same sums.

#include "kernels/backward/backward.h"
#include "kernels/backward/pair_state.h"
#include "kernels/halves/convert.h"

namespace foveal {
namespace {

void pair_block_begin(const BackwardTask<float>& task) {
  backward_block_begin(task);
  const PairBackwardState state(task);
  const uint16_t* const key = task.bfloat16_key + task.first_key * task.key_stride;
  for (int64_t tile = 0; tile < PairBackwardState::tiles_of(task.key_count); ++tile) {
    state.keys_not_finite[tile] = 0;
  }
  for (int64_t k = 0; k < task.key_count; k += 2) {
    const uint16_t* const row = key + k * task.key_stride;
    uint32_t* const pairs = state.keys + k / 2 * task.head_size;
    interleave(row, k + 1 < task.key_count ? row + task.key_stride : nullptr, task.head_size,
               pairs);
    const uint64_t bad = 3 & ~finite_halves(pairs, task.head_size);
    state.keys_not_finite[k / kKeyTile] |= bad << k % kKeyTile;
  }
}

/// Rows in pairs along the queries, padded with zeros to whole vectors and a whole tile. Bit q of
/// the result is set where row q holds a NaN or infinity.
inline uint64_t pair_rows(const uint16_t* from, int64_t stride, int64_t count, int64_t size,
                          uint32_t* pairs) {
  const int64_t width = padded<float>(size);
  uint64_t not_finite = 0;
  for (int64_t q = 0; q < kBackwardTile; q += 2, pairs += width) {
    int64_t filled = 0;
    if (q < count) {
      interleave(from + q * stride, q + 1 < count ? from + (q + 1) * stride : nullptr, size, pairs);
      filled = size;
      not_finite |= static_cast<uint64_t>(3 & ~finite_halves(pairs, size)) << q;
    }
    for (int64_t d = filled; d < width; ++d) pairs[d] = 0;
  }
  return not_finite;
}

inline void widen_rows(const uint16_t* from, int64_t stride, int64_t count, int64_t size,
                       float* to) {
  for (int64_t n = 0; n < count; ++n) widen<BFloat16Bits>(from + n * stride, size, to + n * size);
}

/// Whether a tile of the block may take the float32 way.
inline bool may_widen(const BackwardTask<float>& task, const PairBackwardState& state) {
  if (!is_simple(task) || !has_plain_gradients(task) || task.key_count % 4 != 0) return true;
  uint64_t bad = task.queries_not_finite;
  for (int64_t tile = 0; tile < PairBackwardState::tiles_of(task.key_count); ++tile) {
    bad |= state.keys_not_finite[tile];
  }
  return bad != 0;
}

void pair_backward_begin(BackwardTask<float>& task) {
  const BackwardState<float> sums(task);
  const PairBackwardState state(task);
  const int64_t count = task.query_count, d = task.head_size, dv = task.value_size;
  task.queries_not_finite =
      pair_rows(task.bfloat16_query, task.query_stride, count, d, state.query_rows) |
      pair_rows(task.bfloat16_output_gradient, task.output_gradient_stride, count, dv,
                state.output_gradient_rows);
  pair_columns(task.bfloat16_query, task.query_stride, count, d, state.query_columns);
  pair_columns(task.bfloat16_output_gradient, task.output_gradient_stride, count, dv,
               state.output_gradient_columns);
  start_queries(task, sums, reinterpret_cast<const BFloat16Bits*>(task.bfloat16_output_gradient),
                reinterpret_cast<const BFloat16Bits*>(task.bfloat16_output));
  if (!may_widen(task, state)) return;
  widen_rows(task.bfloat16_query, task.query_stride, count, d, state.wide_query);
  widen_rows(task.bfloat16_output_gradient, task.output_gradient_stride, count, dv,
             state.wide_output_gradient);
  task.query = state.wide_query;
  task.query_stride = d;
  task.output_gradient = state.wide_output_gradient;
  task.output_gradient_stride = dv;
  lay_out_queries(task, sums);
}

/// A tile the float32 way, with K and V widened.
void widened_backward_tile(const BackwardTask<float>& task, const PairBackwardState& state,
                           const KeyTile& tile) {
  const int64_t d = task.head_size, dv = task.value_size;
  widen_rows(static_cast<const uint16_t*>(tile.key), task.key_stride, tile.count, d,
             state.wide_key);
  widen_rows(static_cast<const uint16_t*>(tile.value), task.value_stride, tile.count, dv,
             state.wide_value);
  BackwardTask<float> wide = task;
  wide.key_stride = d;
  wide.value_stride = dv;
  backward_tile(wide, {tile.first, tile.count, tile.bits, state.wide_key, state.wide_value});
}

/// Four keys for C vectors of queries: their weights, and dS, rounded.
template <int C>
void differentiate_pairs(const BackwardTask<float>& task, const BackwardState<float>& sums,
                         const PairBackwardState& state, const KeyTile& tile,
                         const Corner& corner) {
  constexpr int R = 4;
  const float factor = task.scale * kLog2E<float>;
  float* const kept = sums.weights + corner.row * kBackwardTile + corner.lane;
  uint16_t* const weights = state.weights + corner.row * kBackwardTile + corner.lane;
  uint16_t* const gradients = state.score_gradients + corner.row * kBackwardTile + corner.lane;
  Block<float, R, C> block;
  multiply_pairs(block, row_at<uint16_t>(tile.key, corner.row, task.key_stride), task.key_stride,
                 task.head_size, state.query_columns + corner.lane);
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    const int lane = v * kLanes<float>;
    const FloatVector lse = load(sums.scaled_lse + corner.lane + lane);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      FloatVector weight = exp2(block.at[r][v] * factor - lse);
      if (tile.bits != nullptr) {
        const FloatBits seen = visible<float>(tile, corner.row + r, corner.lane + lane);
        weight = seen ? weight : FloatVector{};
      }
      store(kept + r * kBackwardTile + lane, weight);
      const NarrowVector rounded = narrowed(weight);
      __builtin_memcpy(weights + r * kBackwardTile + lane, &rounded, sizeof rounded);
    }
  }
  multiply_pairs(block, row_at<uint16_t>(tile.value, corner.row, task.value_stride),
                 task.value_stride, task.value_size, state.output_gradient_columns + corner.lane);
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    const int lane = v * kLanes<float>;
    const FloatVector delta = load(sums.delta + corner.lane + lane);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      FloatVector gradient = load(kept + r * kBackwardTile + lane) * (block.at[r][v] - delta);
      if (tile.bits != nullptr) {
        // V may hold anything where it isn't seen.
        const FloatBits seen = visible<float>(tile, corner.row + r, corner.lane + lane);
        gradient = seen ? gradient : FloatVector{};
      }
      const NarrowVector rounded = narrowed(gradient);
      __builtin_memcpy(gradients + r * kBackwardTile + lane, &rounded, sizeof rounded);
    }
  }
}

/// Clears what the products read of rows row .. row + 3 beside the vectors that were computed.
inline void clear_pair_cells(const PairBackwardState& state, int64_t row, const Range& kept) {
  constexpr int64_t kLane = kLanes<float>;
  for (int64_t r = row; r < row + 4; ++r) {
    for (int64_t v = 0; v < kQueryVectors; ++v) {
      if (v >= kept.first && v < kept.last) continue;
      for (int64_t q = v * kLane; q < (v + 1) * kLane; ++q) {
        state.weights[r * kBackwardTile + q] = 0;
        state.score_gradients[r * kBackwardTile + q] = 0;
      }
    }
  }
}

/// dS of rows row .. row + 3 in pairs along the keys.
inline void pair_gradients(const PairBackwardState& state, int64_t row) {
  for (int64_t r = row; r < row + 4; r += 2) {
    for (int64_t q = 0; q < kBackwardTile; q += 2 * kLanes<float>) {
      const uint16_t* const cells = state.score_gradients + r * kBackwardTile + q;
      uint32_t* const to = state.score_gradient_pairs + r / 2 * kBackwardTile + q;
      PairVector first, second;
      mix(load_pairs(cells), load_pairs(cells + kBackwardTile), first, second);
      store_pairs(to, first);
      store_pairs(to + kLanes<float>, second);
    }
  }
}

/// P and dS of the tile.
void differentiate_tile(const BackwardTask<float>& task, const BackwardState<float>& sums,
                        const PairBackwardState& state, const KeyTile& tile) {
  for (int64_t row = 0; row < tile.count; row += 4) {
    Range vectors{0, kQueryVectors};
    if (tile.bits != nullptr) vectors = vectors_seeing<float>(tile, 0, row, 4);
    if (vectors.last - vectors.first < kQueryVectors) clear_pair_cells(state, row, vectors);
    const Corner corner{row, static_cast<int>(vectors.first) * kLanes<float>};
    switch (vectors.last - vectors.first) {
      case 0:
        break;
      case 1:
        differentiate_pairs<1>(task, sums, state, tile, corner);
        break;
      case 2:
        differentiate_pairs<2>(task, sums, state, tile, corner);
        break;
      case 3:
        differentiate_pairs<3>(task, sums, state, tile, corner);
        break;
      default:
        differentiate_pairs<kQueryVectors>(task, sums, state, tile, corner);
        break;
    }
    pair_gradients(state, row);
  }
}

/// sum[k] += cells[k][q] * rows[q]: dV from P and dO, dK from dS and Q.
struct PairKeySums {
  const uint16_t* cells;
  const uint32_t* rows;
  float* sum;
  int64_t width;  ///< of rows and sums
};

template <int C>
void add_pair_key_columns(const PairKeySums& sums, const KeyTile& tile, int64_t query_count,
                          int64_t column) {
  for (int64_t row = 0; row < tile.count; row += 4) {
    const Range queries = queries_range(tile, row, 4, query_count);
    if (queries.last == 0) continue;
    const int64_t first = queries.first / 2, pairs = (queries.last + 1) / 2 - first;
    float* const sum = sums.sum + row * sums.width + column;
    Block<float, 4, C> block;
#pragma GCC unroll 16
    for (int r = 0; r < 4; ++r) {
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) block.at[r][c] = load(sum + r * sums.width + c * kLanes<float>);
    }
    add_pair_products<0>(block, {sums.cells + row * kBackwardTile + 2 * first, kBackwardTile, 2},
                         sums.rows + first * sums.width + column, pairs, sums.width);
#pragma GCC unroll 16
    for (int r = 0; r < 4; ++r) {
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) store(sum + r * sums.width + c * kLanes<float>, block.at[r][c]);
    }
  }
}

/// All columns, in groups of nearly equal width.
inline void add_pair_keys(const PairKeySums& sums, const KeyTile& tile, int64_t query_count) {
  for (int64_t column = 0; column < sums.width;) {
    const int64_t left = (sums.width - column) / kLanes<float>;
    const int64_t groups = (left + kQueryVectors - 1) / kQueryVectors;
    const int64_t vectors = (left + groups - 1) / groups;
    switch (vectors) {
      case 1:
        add_pair_key_columns<1>(sums, tile, query_count, column);
        break;
      case 2:
        add_pair_key_columns<2>(sums, tile, query_count, column);
        break;
      case 3:
        add_pair_key_columns<3>(sums, tile, query_count, column);
        break;
      default:
        add_pair_key_columns<kQueryVectors>(sums, tile, query_count, column);
        break;
    }
    column += vectors * kLanes<float>;
  }
}

/// R rows of dQ^T from row d on, over the tile's keys.
template <int R>
inline void add_pair_query_rows(const BackwardTask<float>& task, const BackwardState<float>& sums,
                                const PairBackwardState& state, const uint32_t* keys,
                                const KeyRuns& runs, int64_t d) {
  constexpr int C = kQueryVectors;
  float* const sum = sums.query_gradient + d * kBackwardTile;
  Block<float, R, C> block;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) block.at[r][c] = load(sum + r * kBackwardTile + c * kLanes<float>);
  }
  for (int n = 0; n < runs.count; ++n) {
    const KeyRun& run = runs.runs[n];
    const uint32_t* const from = keys + run.first / 2 * task.head_size + d;
    const PairRows rows{reinterpret_cast<const uint16_t*>(from), 2, 2 * task.head_size};
    const uint32_t* const cells = state.score_gradient_pairs + run.first / 2 * kBackwardTile;
    const int64_t pairs = (run.last - run.first) / 2;
    from_vector(run.first_vector, [&]<int First>() __attribute__((always_inline)) {
      add_pair_products<First>(block, rows, cells, pairs);
    });
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) store(sum + r * kBackwardTile + c * kLanes<float>, block.at[r][c]);
  }
}

/// Whether the tile needs no care beside its mask.
inline bool is_plain(const BackwardTask<float>& task, const PairBackwardState& state,
                     const KeyTile& tile) {
  if (!is_simple(task) || !has_plain_gradients(task)) return false;
  if (tile.count % 4 != 0 || task.queries_not_finite != 0) return false;
  return tile.bits == nullptr ||
         state.keys_not_finite[(tile.first - task.first_key) / kKeyTile] == 0;
}

void pair_backward_tile(const BackwardTask<float>& task, const KeyTile& tile) {
  const PairBackwardState state(task);
  if (!is_plain(task, state, tile)) return widened_backward_tile(task, state, tile);
  const BackwardState<float> sums(task);
  const int64_t d = padded<float>(task.head_size), dv = padded<float>(task.value_size);
  const int64_t row = tile.first - task.first_key;
  differentiate_tile(task, sums, state, tile);
  add_pair_keys({state.weights, state.output_gradient_rows, sums.value_gradient + row * dv, dv},
                tile, task.query_count);
  add_pair_keys({state.score_gradients, state.query_rows, sums.key_gradient + row * d, d}, tile,
                task.query_count);
  const KeyRuns runs = key_runs<float>(tile, 0);
  const uint32_t* const keys = state.keys + row / 2 * task.head_size;
  int64_t n = 0;
  for (; n + 4 <= task.head_size; n += 4) {
    add_pair_query_rows<4>(task, sums, state, keys, runs, n);
  }
  for (; n < task.head_size; ++n) add_pair_query_rows<1>(task, sums, state, keys, runs, n);
}

void pair_backward_end(const BackwardTask<float>& task) {
  if (task.query_gradient != nullptr) return backward_end(task);
  const BackwardState<float> state(task);
  narrow_columns(state.query_gradient, task.head_size, task.query_count, task.scale,
                 task.bfloat16_query_gradient, task.query_gradient_stride);
}

void pair_block_end(const BackwardTask<float>& task) {
  const BackwardState<float> state(task);
  const int64_t d = task.head_size, dv = task.value_size;
  for (int64_t k = 0; k < task.key_count; ++k) {
    narrow_row(state.key_gradient + k * padded<float>(d), d, task.scale,
               task.bfloat16_key_gradient + k * task.key_gradient_stride);
    narrow_row(state.value_gradient + k * padded<float>(dv), dv, 1,
               task.bfloat16_value_gradient + k * task.value_gradient_stride);
  }
}

}  // namespace
}  // namespace foveal
