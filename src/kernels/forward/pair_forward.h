#pragma once
// Attention forward for bfloat16: products of pairs with float32 sums. As the float32 forward, on S
// transposed against a maximum that may be stale; but scale and maximum are applied after the
// product, and the weights of a few tiles of keys wait until they meet V together.

#include "kernels/forward/forward.h"
#include "kernels/forward/pair_scores.h"

namespace foveal {
namespace {

void pair_forward_begin(PairTask& task) {
  const PairState state(task);
  pair_columns<kPairTile>(task.bfloat16_query, task.query_stride, task.query_count, task.head_size,
                          state.query);
  for (int64_t n = 0; n < task.value_size * kPairTile; ++n) state.output[n] = 0;
  for (int64_t q = 0; q < kPairTile; ++q) {
    state.maximum[q] = 0;
    state.limit[q] = -1;
    state.sum[q] = 0;
    state.exact_sum[q] = 0;
  }
  task.runs.count = 0;
  task.runs.row_step = task.value_size;
  task.runs.column_stride = kPairTile;
  task.waiting = 0;
  task.seen = 0;
}

/// The weights that wait meet V.
void add_waiting(PairTask& task, const PairState& state) {
  add_runs<Pairs>(task.runs, task.value_size, state.output, kPairTile);
  task.runs.count = 0;
  task.waiting = 0;
}

/// The tile's V in pairs along the keys. The rows that hold a NaN or infinity, a bit each.
inline uint64_t pair_values(const PairTask& task, const KeyTile& tile, uint32_t* pairs) {
  const int64_t size = task.value_size;
  pair_rows(static_cast<const uint16_t*>(tile.value), task.value_stride, tile.count, size, size,
            pairs);
  return pairs_not_finite(pairs, tile.count, size, size);
}

/// A copy whose skipped rows are zeros.
void copy_finite_pairs(const PairTask& task, const KeyTile& tile, uint64_t skipped,
                       const uint32_t* pairs, uint32_t* to) {
  for (int64_t k = 0; k < tile.count; k += 2) {
    const uint64_t skips = skipped >> k;
    const uint32_t kept = ((skips & 1) != 0 ? 0 : 0xffffU) | ((skips & 2) != 0 ? 0 : 0xffff0000U);
    for (int64_t d = 0; d < task.value_size; ++d) *to++ = *pairs++ & kept;
  }
}

/// A tile's V: where its pairs lie, and which rows are zeros there instead of what they are.
struct TileValues {
  const uint32_t* pairs;
  uint64_t skipped;
};

/// The tile's pairs, made if no task before has; `own` has room for them.
inline TileValues values_of(const PairTask& task, const KeyTile& tile, uint32_t* own) {
  const int64_t index = tile.first / kKeyTile;
  uint32_t* pairs = own;
  uint64_t not_finite = 0;
  if (task.values.pairs == nullptr) {
    not_finite = pair_values(task, tile, pairs);
  } else {
    pairs = task.values.pairs + index * kTilePairs * task.value_size;
    if (!task.values.made[index]) {
      task.values.not_finite[index] = pair_values(task, tile, pairs);
      task.values.made[index] = true;
    }
    not_finite = task.values.not_finite[index];
  }
  if (tile.bits == nullptr || not_finite == 0) return {pairs, 0};
  copy_finite_pairs(task, tile, not_finite, pairs, own);
  return {own, not_finite};
}

/// What the skipped rows add, for the queries alone that see them.
void add_skipped_values(const PairTask& task, const PairState& state, const KeyTile& tile,
                        uint64_t skipped, int64_t row) {
  for_cells(tile, skipped, lane_bits(0, task.query_count), [&](int64_t k, int64_t q) {
    const uint32_t pair = state.weights[(row + k / 2) * kPairTile + q];
    const BFloat16Bits weight{static_cast<uint16_t>(pair >> (k % 2 * 16))};
    add_row(number_of(weight), row_at<BFloat16Bits>(tile.value, k, task.value_stride),
            task.value_size, state.output + q, kPairTile);
  });
}

/// Vectors after a run's segment, from `lane` on, are multiplied too: their weights are 0.
inline void clear_after(uint32_t* weights, int64_t count, int64_t lane) {
  for (int64_t k = 0; k < count; ++k) {
    for (int64_t q = lane; q < kPairTile; q += kLanes<float>) {
      store_pairs(weights + k * kPairTile + q, PairVector{});
    }
  }
}

void pair_forward_tile(PairTask& task, const KeyTile& tile) {
  const PairState state(task);
  task.seen |= queries_seeing(tile, 0, tile.count);
  const int64_t row = task.waiting * kTilePairs;
  const TileValues values = values_of(task, tile, state.value + row * task.value_size);
  for_each_segment<float>(tile, 0, kQueryTile<float>, [&]<int C>(const Segment& segment) {
    const int64_t first = segment.rows.first / 2;
    uint32_t* const weights = state.weights + (row + first) * kPairTile;
    const int64_t pairs = (segment.rows.last - segment.rows.first + 1) / 2;
    clear_after(weights, pairs, segment.lane + C * kLanes<float>);
    score_pair_rows<C>(task, state, tile, segment, row);
    task.runs.add(
        {values.pairs + first * task.value_size, weights, pairs, segment.lane / kLanes<float>});
  });
  if (values.skipped != 0) add_skipped_values(task, state, tile, values.skipped, row);
  if (++task.waiting == kWaitingTiles) add_waiting(task, state);
}

/// Whether a row may be wrong: in units of log2 large scores lose what tells them apart, and those
/// of a row that has seen keys may all have fallen out of their range.
inline bool is_pair_doubtful(const PairTask& task, const PairState& state, int64_t q) {
  const bool seen = (task.seen >> q & 1) != 0;
  return !is_finite(state.sum[q]) || (seen && state.sum[q] == 0) ||
         !(__builtin_fabsf(state.maximum[q]) < kLargeMaximum<float>);
}

/// Divides by the sums, sinks included, and writes output and lse. The rows that may be wrong, a
/// bit each, as forward_end says.
uint64_t pair_forward_end(PairTask& task) {
  const PairState state(task);
  add_waiting(task, state);
  float factors[kPairTile] = {};
  uint64_t doubtful = 0;
  for (int64_t q = 0; q < task.query_count; ++q) {
    const double maximum = state.maximum[q] * kLn2;
    doubtful |= static_cast<uint64_t>(is_pair_doubtful(task, state, q)) << q;
    // Divided by the sum of what was added, lse from what it stands for.
    factors[q] = static_cast<float>(end_row<float>(task, maximum, state.sum[q], 0).factor);
    if (task.lse == nullptr) continue;
    task.lse[q] = static_cast<float>(end_row<float>(task, maximum, state.exact_sum[q], 0).lse);
  }
  doubtful |= scale_output<float>(state.output, task.value_size, factors);
  narrow_columns(state.output, task.value_size, task.query_count, 1, task.bfloat16_output,
                 task.output_stride);
  return doubtful & (~uint64_t{0} >> (64 - task.query_count));
}

}  // namespace
}  // namespace foveal
