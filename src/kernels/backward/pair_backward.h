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
  const uint16_t* const key =
      task.bfloat16_key + (task.first_key - task.first_row) * task.key_stride;
  const int64_t d = task.head_size;
  pair_rows(key, task.key_stride, task.key_count, d, d, state.keys);
  for (int64_t k = 0; k < task.key_count; k += kKeyTile) {
    const int64_t left = task.key_count - k;
    state.keys_not_finite[k / kKeyTile] =
        pairs_not_finite(state.keys + k / 2 * d, left < kKeyTile ? left : kKeyTile, d, d);
  }
}

/// Rows in pairs along the queries, padded with zeros to whole vectors and a whole tile. Bit q of
/// the result is set where row q holds a NaN or infinity.
inline uint64_t pair_queries(const uint16_t* from, int64_t stride, int64_t count, int64_t size,
                             uint32_t* pairs) {
  const int64_t width = padded<float>(size), filled = (count + 1) / 2 * width;
  pair_rows(from, stride, count, size, width, pairs);
  clear(pairs + filled, kPairTile / 2 * width - filled);
  return pairs_not_finite(pairs, count, size, width);
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
      pair_queries(task.bfloat16_query, task.query_stride, count, d, state.query_rows) |
      pair_queries(task.bfloat16_output_gradient, task.output_gradient_stride, count, dv,
                   state.output_gradient_rows);
  pair_columns<kPairTile>(task.bfloat16_query, task.query_stride, count, d, state.query_columns);
  pair_columns<kPairTile>(task.bfloat16_output_gradient, task.output_gradient_stride, count, dv,
                          state.output_gradient_columns);
  start_queries(task, sums, elements_of(task.bfloat16_output_gradient),
                elements_of(task.bfloat16_output));
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

/// R keys for C vectors of queries: their weights, and dS, rounded.
template <int R, int C>
void differentiate_pairs(const BackwardTask<float>& task, const BackwardState<float>& sums,
                         const PairBackwardState& state, const KeyTile& tile,
                         const Corner& corner) {
  const float factor = task.scale * kLog2E<float>;
  float* const kept = sums.weights + corner.row * kPairTile + corner.lane;
  uint16_t* const weights = state.weights + corner.row * kPairTile + corner.lane;
  uint16_t* const gradients = state.score_gradients + corner.row * kPairTile + corner.lane;
  Block<float, R, C> block;
  multiply<Pairs>(block, row_at<uint16_t>(tile.key, corner.row, task.key_stride), task.key_stride,
                  task.head_size, state.query_columns + corner.lane, kPairTile, nullptr);
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
      store(kept + r * kPairTile + lane, weight);
      const NarrowVector rounded = narrowed(weight);
      __builtin_memcpy(weights + r * kPairTile + lane, &rounded, sizeof rounded);
    }
  }
  multiply<Pairs>(block, row_at<uint16_t>(tile.value, corner.row, task.value_stride),
                  task.value_stride, task.value_size, state.output_gradient_columns + corner.lane,
                  kPairTile, nullptr);
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    const int lane = v * kLanes<float>;
    const FloatVector delta = load(sums.delta + corner.lane + lane);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      FloatVector gradient = load(kept + r * kPairTile + lane) * (block.at[r][v] - delta);
      if (tile.bits != nullptr) {
        // V may hold anything where it isn't seen.
        const FloatBits seen = visible<float>(tile, corner.row + r, corner.lane + lane);
        gradient = seen ? gradient : FloatVector{};
      }
      const NarrowVector rounded = narrowed(gradient);
      __builtin_memcpy(gradients + r * kPairTile + lane, &rounded, sizeof rounded);
    }
  }
}

/// P and dS of the tile, a multiple of four keys.
void differentiate_tile(const BackwardTask<float>& task, const BackwardState<float>& sums,
                        const PairBackwardState& state, const KeyTile& tile) {
  for_key_groups<float>(
      tile, 0,
      [&](int64_t row, int64_t count, const Range& kept) {
        clear_vectors<float>(state.weights, 0, row, count, kept);
        clear_vectors<float>(state.score_gradients, 0, row, count, kept);
      },
      [&]<int R, int C>(const Corner& corner) {
        differentiate_pairs<R, C>(task, sums, state, tile, corner);
      });
  pair_rows(state.score_gradients, kPairTile, tile.count, kPairTile, kPairTile,
            state.score_gradient_pairs);
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
  add_keys<Pairs>(
      {state.weights, state.output_gradient_rows, dv, sums.value_gradient + row * dv, dv}, tile,
      task.query_count);
  add_keys<Pairs>({state.score_gradients, state.query_rows, d, sums.key_gradient + row * d, d},
                  tile, task.query_count);
  add_query_gradient<Pairs>(tile, 0, state.keys + row / 2 * task.head_size, task.head_size,
                            state.score_gradient_pairs, task.head_size, sums.query_gradient);
}

void pair_backward_end(const BackwardTask<float>& task) {
  if (task.query_gradient != nullptr) return backward_end(task);
  const BackwardState<float> state(task);
  narrow_columns(state.query_gradient, task.head_size, task.query_count, task.scale,
                 task.bfloat16_query_gradient, task.query_gradient_stride);
}

void pair_block_end(const BackwardTask<float>& task) {
  write_block(task, elements_of(task.bfloat16_key_gradient),
              elements_of(task.bfloat16_value_gradient));
}

}  // namespace
}  // namespace foveal
