#pragma once
// Scores of a few bfloat16 keys for a few vectors of queries, and the weights they become: those of
// two keys in one lane, so that the product with V takes both at once.

#include "kernels/forward/pair_state.h"
#include "kernels/forward/scores.h"
#include "kernels/halves/pairs.h"

namespace foveal {
namespace {

/// What the sum of a chunk's weights may reach before the maximum is raised.
constexpr float kMostWeight = 256;

/// Scores this far above the maximum, in units of log2, were rounded too much when it was taken
/// from them.
constexpr float kFar = 64;

/// So far from a maximum of this size they were rounded by more than that.
constexpr float kLost = 0x1p31F;

constexpr PairVector kPairOfOnes = PairVector{} + 0x3f803f80;

/// Multiplies the weights that wait by the factor of their lane: a power of 2, so that they stay as
/// they were rounded.
inline void rescale_pairs(uint32_t* pairs, FloatVector factor) {
  const PairVector both = load_pairs(pairs);
  store_pairs(pairs, paired(lower_of(both) * factor, upper_of(both) * factor));
}

/// Keys of a tile whose scores become weights together, and the vectors of queries that they
/// concern. `row` is that of the first pair among those that wait.
struct Chunk {
  int64_t first = 0, count = 0;
  int lane = 0, vectors = 0;
  int64_t row = 0;
};

/// Products become scores with their terms: out of line, as they need the products in memory.
template <int R, int C>
__attribute__((noinline)) void make_pair_scores(const PairTask& task, const BiasRows<float>& bias,
                                                const KeyTile& tile, const Corner& corner,
                                                Block<float, R, C>& block) {
  Block<float, R, C> scores = block;
  make_scores<float, R, C>(task, bias, tile, corner, scores);
  // One NaN for all: weights lose the lower half of a bias's own.
  for_block<R, C>([&](int r, int v) __attribute__((always_inline)) {
    const FloatVector score = scores.at[r][v];
    scores.at[r][v] = score == score ? score : broadcast(__builtin_nanf(""));
  });
  block = scores;
}

/// One block of scores, from the product to where the chunk's scores are kept: in units of log2
/// above the maximum.
template <int R, int C>
inline __attribute__((always_inline)) void score_pair_block(
    const PairTask& task, const PairState& state, const KeyTile& tile, const Corner& corner,
    const BiasRows<float>& bias, float* to) {
  const uint16_t* const key = row_at<uint16_t>(tile.key, corner.row, task.key_stride);
  Block<float, R, C> scores;
  multiply<Pairs>(scores, key, task.key_stride, task.head_size, state.query + corner.lane,
                  kPairTile, nullptr);
  float factor = task.scale * kLog2E<float> * tile.key_scale;
  if (!is_simple(task)) {
    if (tile.key_scale != 1) scores.scale(tile.key_scale);
    Block<float, R, C> copy = scores;  // so that `scores` itself needs no memory
    make_pair_scores<R, C>(task, bias, tile, corner, copy);
    scores = copy;
    factor = kLog2E<float>;
  }
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    const FloatVector maximum = load(state.maximum + corner.lane + v * kLanes<float>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) scores.at[r][v] = scores.at[r][v] * factor - maximum;
  }
  if (tile.bits != nullptr) hide(tile, corner, scores);
  scores.store_to(to, kPairTile);
}

/// The chunk's scores.
template <int C>
inline void score_pair_chunk(const PairTask& task, const PairState& state, const KeyTile& tile,
                             const Chunk& chunk) {
  constexpr int R = keys_per_block(C);
  int64_t k = 0;
  const auto take = [&]<int Rows>() {
    for (; k + Rows <= chunk.count; k += Rows) {
      const int64_t at = k * kPairTile + chunk.lane;
      score_pair_block<Rows, C>(task, state, tile, {chunk.first + k, chunk.lane},
                                {state.bias + at, kPairTile}, state.scores + at);
    }
  };
  take.template operator()<R>();
  if constexpr (R > 4) take.template operator()<4>();
  take.template operator()<1>();
}

/// Keeps the compiler from computing what follows of one before all are there.
template <int K>
inline __attribute__((always_inline)) void wait_for_all(FloatVector (&x)[K]) {
  if constexpr (K == 8) {
    asm volatile(""
                 : FOVEAL_VECTOR_REGISTER(x[0]), FOVEAL_VECTOR_REGISTER(x[1]),
                   FOVEAL_VECTOR_REGISTER(x[2]), FOVEAL_VECTOR_REGISTER(x[3]),
                   FOVEAL_VECTOR_REGISTER(x[4]), FOVEAL_VECTOR_REGISTER(x[5]),
                   FOVEAL_VECTOR_REGISTER(x[6]), FOVEAL_VECTOR_REGISTER(x[7]));
  }
}

/// The sums of some weights: as they are multiplied with V, and before they were rounded to that.
struct WeightSums {
  FloatVector rounded{}, exact{};
};

/// The sum of all, in the first.
template <int K>
inline __attribute__((always_inline)) FloatVector sum_of(FloatVector (&x)[K]) {
#pragma GCC unroll 16
  for (int half = K / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
    for (int k = 0; k < half; ++k) x[k] += x[k + half];
  }
  return x[0];
}

/// Scores of K keys for one vector of queries become weights, which join the sums (the exact one
/// where it is asked for); stage by stage, so that no step waits for the one before it.
template <int K, bool exact>
inline __attribute__((always_inline)) void weigh_keys(const float* scores, const float* dropped,
                                                      uint32_t* pairs, WeightSums& sums) {
  FloatVector x[K], f[K], power[K];
#pragma GCC unroll 16
  for (int k = 0; k < K; ++k) power[k] = load(scores + k * kPairTile);
#pragma GCC unroll 16
  for (int k = 0; k < K; ++k) f[k] = above_whole(power[k]);
  wait_for_all(f);
#pragma GCC unroll 16
  for (int k = 0; k < K; ++k) x[k] = f[k] * kExp2Terms[0] + kExp2Terms[1];
  wait_for_all(x);
#pragma GCC unroll 16
  for (int n = 2; n < 6; ++n) {
#pragma GCC unroll 16
    for (int k = 0; k < K; ++k) x[k] = x[k] * f[k] + kExp2Terms[n];
    wait_for_all(x);
  }
#pragma GCC unroll 16
  for (int k = 0; k < K; ++k) x[k] = times_power(x[k], power[k]);
  constexpr int kPairs = (K + 1) / 2;
  PairVector both[kPairs];
#pragma GCC unroll 16
  for (int n = 0; n < kPairs; ++n)
    both[n] = paired(x[2 * n], K == 1 ? FloatVector{} : x[2 * n + (K > 1)]);
  FloatVector part[kPairs];
#pragma GCC unroll 16
  for (int n = 0; n < kPairs; ++n) part[n] = add_pairs(FloatVector{}, both[n], kPairOfOnes);
  sums.rounded += sum_of(part);
  if (dropped != nullptr) {
#pragma GCC unroll 16
    for (int n = 0; n < kPairs; ++n) {
      const float* const factors = dropped + 2 * n * kPairTile;
      both[n] = paired(x[2 * n] * load(factors),
                       K == 1 ? FloatVector{} : x[2 * n + (K > 1)] * load(factors + kPairTile));
    }
  }
#pragma GCC unroll 16
  for (int n = 0; n < kPairs; ++n) store_pairs(pairs + n * kPairTile, both[n]);
  if constexpr (exact) sums.exact += sum_of(x);
}

/// The chunk's scores become weights, and their sums `sums`, of a vector of queries each. Whether
/// any passes its limit.
template <bool exact>
inline bool weigh_chunk(const PairState& state, const Chunk& chunk, const float* dropped,
                        WeightSums* sums) {
  FloatBits passed{};
  for (int v = 0; v < chunk.vectors; ++v) {
    const int lane = chunk.lane + v * kLanes<float>;
    const float* scores = state.scores + lane;
    const float* factors = dropped == nullptr ? nullptr : dropped + lane;
    uint32_t* pairs = state.weights + chunk.row * kPairTile + lane;
    WeightSums sum;
    int64_t left = chunk.count;
    const auto go_on = [&](int keys) {
      scores += keys * kPairTile;
      pairs += keys / 2 * kPairTile;
      if (factors != nullptr) factors += keys * kPairTile;
      left -= keys;
    };
    while (left >= 8) {
      weigh_keys<8, exact>(scores, factors, pairs, sum);
      go_on(8);
    }
    while (left >= 2) {
      weigh_keys<2, exact>(scores, factors, pairs, sum);
      go_on(2);
    }
    if (left > 0) weigh_keys<1, exact>(scores, factors, pairs, sum);
    passed |= sum.rounded > load(state.limit + lane);
    sums[v] = sum;
  }
  return any(passed);
}

/// A new maximum for the lanes whose weights pass their limit, a whole number of powers of 2 above
/// the old one; all that was made against the old one is rescaled: scores, sum, output, and the
/// weights that wait. Whether scores must be made again, as they were far above it. Rare, so kept
/// out of line.
__attribute__((noinline)) bool raise_pair_maximum(const PairTask& task, const PairState& state,
                                                  const Chunk& chunk, const WeightSums* sums) {
  bool far = false;
  for (int v = 0; v < chunk.vectors; ++v) {
    const int lane = chunk.lane + v * kLanes<float>;
    float* const scores = state.scores + lane;
    FloatVector top = load(scores);
    for (int64_t k = 1; k < chunk.count; ++k) top = larger(load(scores + k * kPairTile), top);
    const FloatVector limit = load(state.limit + lane);
    const FloatBits raised = (sums[v].rounded > limit) & (top > kMasked<float>);
    const FloatVector shift = raised ? top - above_whole(top) : FloatVector{};
    for (int64_t k = 0; k < chunk.count; ++k) {
      store(scores + k * kPairTile, load(scores + k * kPairTile) - shift);
    }
    const FloatVector old = load(state.maximum + lane);
    store(state.maximum + lane, old + shift);
    store(state.limit + lane, raised ? broadcast(kMostWeight) : limit);
    // What a row without a maximum holds is zeros: it needs no factor, and 2^-shift may overflow.
    const FloatBits rescaled = raised & (limit > 0);
    if (!any(rescaled)) continue;
    const FloatBits above = rescaled & (top > kFar);
    // A row whose maximum can't be told is computed otherwise: a NaN says so.
    const FloatBits lost = above & ((old < -kLost) | (old > kLost));
    far = far || any(above & ~lost);
    const FloatVector factor = times_power(broadcast(1.0F), rescaled ? -shift : FloatVector{});
    const FloatVector sum = load(state.sum + lane) * factor;
    store(state.sum + lane, lost ? broadcast(__builtin_nanf("")) : sum);
    store(state.exact_sum + lane, load(state.exact_sum + lane) * factor);
    for (int64_t k = 0; k < chunk.row; ++k) {
      rescale_pairs(state.weights + k * kPairTile + lane, factor);
    }
    for (int64_t d = 0; d < task.value_size; ++d) {
      float* const output = state.output + d * kPairTile + lane;
      store(output, load(output) * factor);
    }
  }
  return far;
}

/// What dropout and the values' scale multiply the chunk's weights by. The row sums stay: both come
/// after softmax.
__attribute__((noinline)) void drop_pair_weights(const PairTask& task, const PairState& state,
                                                 const KeyTile& tile, const Chunk& chunk) {
  float* const dropped = state.dropped + chunk.lane;
  if (task.dropout == nullptr) {
    for (int64_t k = 0; k < chunk.count; ++k) {
      for (int v = 0; v < chunk.vectors; ++v) {
        store(dropped + k * kPairTile + v * kLanes<float>, broadcast(tile.value_scale));
      }
    }
    return;
  }
  for_factors<float>(
      *task.dropout,
      {task.first_query + chunk.lane, chunk.vectors, tile.first + chunk.first, chunk.count},
      [&](int64_t row, int lane, FloatVector factors) __attribute__((always_inline)) {
        store(dropped + row * kPairTile + lane, factors * tile.value_scale);
      });
}

/// A segment's scores become weights; the tile's first pair is `row` of those that wait.
template <int C>
void score_pair_rows(const PairTask& task, const PairState& state, const KeyTile& tile,
                     const Segment& segment, int64_t row) {
  for (int64_t k = segment.rows.first; k < segment.rows.last; k += kChunk) {
    const int64_t left = segment.rows.last - k;
    const Chunk chunk{k, left < kChunk ? left : kChunk, segment.lane, C, row + k / 2};
    const float* dropped = nullptr;
    if (task.dropout != nullptr || tile.value_scale != 1) {
      drop_pair_weights(task, state, tile, chunk);
      dropped = state.dropped;
    }
    if (task.bias != nullptr) {
      lay_out_bias(task, chunk.lane, C * kLanes<float>, tile.first + k, chunk.count,
                   {state.bias + chunk.lane, kPairTile});
    }
    if (task.keys_are_new) {
      prefetch_next_tile<uint16_t>(task, tile, k, chunk.count);
    }
    score_pair_chunk<C>(task, state, tile, chunk);
    const auto weigh = task.lse == nullptr ? weigh_chunk<false> : weigh_chunk<true>;
    WeightSums sums[C];
    if (__builtin_expect(weigh(state, chunk, dropped, sums), 0)) {
      while (raise_pair_maximum(task, state, chunk, sums)) {
        score_pair_chunk<C>(task, state, tile, chunk);
        weigh(state, chunk, dropped, sums);
      }
      weigh(state, chunk, dropped, sums);
    }
    for (int v = 0; v < C; ++v) {
      const int lane = segment.lane + v * kLanes<float>;
      store(state.sum + lane, load(state.sum + lane) + sums[v].rounded);
      store(state.exact_sum + lane, load(state.exact_sum + lane) + sums[v].exact);
    }
  }
}

}  // namespace
}  // namespace foveal
