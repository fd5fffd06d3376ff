#pragma once
// One strip of queries against a few keys, backward: the weights P again from the scores and lse,
// and dS = P (dP - delta).

#include "kernels/backward/state.h"
#include "kernels/dropout_lanes.h"
#include "kernels/score_terms.h"

namespace foveal {
namespace {

/// Whether dS is P (dP - delta), and goes nowhere but to Q and K.
template <class T>
inline bool has_plain_gradients(const BackwardTask<T>& task) {
  return task.softcap == 0 && task.dropout == nullptr && task.bias_gradient == nullptr &&
         task.slope_gradient == nullptr;
}

/// What belongs to lse of the queries from `lane` on besides.
template <class T>
inline Vector<T> rest_of_lse(const BackwardTask<T>& task, int lane) {
  Vector<T> rest{};
  if (task.lse_rest == nullptr) return rest;
  for (int n = 0; n < kLanes<T> && lane + n < task.query_count; ++n) {
    rest[n] = task.lse_rest[lane + n];
  }
  return rest;
}

/// The strip's bias, where its dS will be.
template <class T>
inline BiasRows<T> bias_rows(const BackwardState<T>& state, int64_t row, int lane) {
  return {state.score_gradients + row * kQueryTile<T> + lane, kQueryTile<T>};
}

/// From products to scores above lse, with all their terms, those that are masked, or whose weights
/// would be subnormal, minus infinity. Keeps the softcap's derivative.
template <class T, int R, int C>
__attribute__((noinline)) void finish_scores(const BackwardTask<T>& task,
                                             const BackwardState<T>& state, const KeyTile& tile,
                                             const Corner& corner, Block<T, R, C>& block) {
  T* const slopes = state.slopes + corner.row * kQueryTile<T> + corner.lane;
  Block<T, R, C> scores = block;
  add_terms<T, R, C>(task, corner.lane, tile.first + corner.row,
                     bias_rows(state, corner.row, corner.lane), scores,
                     [&](int r, int v, Vector<T> slope) __attribute__((always_inline)) {
                       store(slopes + r * kQueryTile<T> + v * kLanes<T>, slope);
                     });
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    const int lane = corner.lane + v * kLanes<T>;
    const Vector<T> lse = load(state.lse + lane), rest = rest_of_lse(task, lane);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      Vector<T> score = scores.at[r][v];
      score = (score - lse) - rest;
      scores.at[r][v] = score < -kFarBelow<T> ? broadcast(kMasked<T>) : score;
    }
  }
  if (tile.bits != nullptr) hide(tile, corner, scores);
  block = scores;
}

/// Multiplies dP and the block's weights by the factors of dropout.
template <class T, int R, int C>
inline __attribute__((always_inline)) void drop_gradients(const BackwardTask<T>& task,
                                                          const KeyTile& tile, const Corner& corner,
                                                          T* weights, Block<T, R, C>& gradients) {
  T factors[R * C * kLanes<T>];
  for_factors<T>(*task.dropout, {task.first_query + corner.lane, C, tile.first + corner.row, R},
                 [&](int64_t row, int lane, Vector<T> drawn) __attribute__((always_inline)) {
                   store(factors + row * C * kLanes<T> + lane, drawn);
                 });
  for_block<R, C>([&](int r, int v) __attribute__((always_inline)) {
    const Vector<T> factor = load(factors + (r * C + v) * kLanes<T>);
    T* const at = weights + r * kQueryTile<T> + v * kLanes<T>;
    gradients.at[r][v] *= factor;
    store(at, load(at) * factor);
  });
}

/// Adds dS, which `gradients` holds for one key and `count` queries from `lane` on, to the
/// gradients of bias and slope.
template <class T>
__attribute__((noinline)) void add_term_gradients(const BackwardTask<T>& task, const T* gradients,
                                                  int64_t lane, int count, int64_t j) {
  double sum = 0, slope = 0;
  T* const bias = task.bias_gradient + j * task.bias_gradient_key_stride;
  for (int q = 0; q < count && lane + q < task.query_count; ++q) {
    const int64_t far = task.first_query + lane + q + task.offset - j;
    sum += gradients[q];
    slope -= static_cast<double>(far < 0 ? -far : far) * gradients[q];
    if (task.bias_gradient_query_stride != 0) {
      bias[(lane + q) * task.bias_gradient_query_stride] += gradients[q];
    }
  }
  if (task.bias_gradient != nullptr && task.bias_gradient_query_stride == 0) {
    *bias += static_cast<T>(sum);
  }
  if (task.slope_gradient != nullptr) *task.slope_gradient += slope;
}

/// From dP to dS, which goes to bias and slope too, and through the softcap: out of line, as it
/// needs dP in memory.
template <class T, int R, int C>
__attribute__((noinline)) void finish_gradients(const BackwardTask<T>& task,
                                                const BackwardState<T>& state, const KeyTile& tile,
                                                const Corner& corner, Block<T, R, C>& block) {
  const int64_t first = corner.row * kQueryTile<T> + corner.lane;
  const T* const slopes = state.slopes + first;
  T* const weights = state.weights + first;
  Vector<T> before[R][C];  // the weights before dropout
  for_block<R, C>([&](int r, int v) __attribute__((always_inline)) {
    before[r][v] = load(weights + r * kQueryTile<T> + v * kLanes<T>);
  });
  if (task.dropout != nullptr) drop_gradients<T, R, C>(task, tile, corner, weights, block);
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    const Vector<T> delta = load(state.delta + corner.lane + v * kLanes<T>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      Vector<T> gradient = block.at[r][v];
      const Vector<T> weight = before[r][v];
      gradient = weight * (gradient - delta);
      if (tile.bits != nullptr) {
        const Bits<T> seen = visible<T>(tile, corner.row + r, corner.lane + v * kLanes<T>);
        gradient = seen ? gradient : Vector<T>{};
      }
      block.at[r][v] = gradient;
    }
  }
  if (task.bias_gradient != nullptr || task.slope_gradient != nullptr) {
    for (int r = 0; r < R; ++r) {
      T gradients[C * kLanes<T>];
      for (int v = 0; v < C; ++v) store(gradients + v * kLanes<T>, block.at[r][v]);
      add_term_gradients<T>(task, gradients, corner.lane, C * kLanes<T>,
                            tile.first + corner.row + r);
    }
  }
  if (task.softcap == 0) return;
  for_block<R, C>([&](int r, int v) __attribute__((always_inline)) {
    const Vector<T> gradient = block.at[r][v];
    const Vector<T> slope = load(slopes + r * kQueryTile<T> + v * kLanes<T>);
    // Where a cell is masked its slope may be NaN.
    block.at[r][v] = gradient == 0 ? gradient : gradient * slope;
  });
}

/// From the product with Q to weights.
template <class T, int R, int C, Path path>
inline __attribute__((always_inline)) void weigh(const BackwardTask<T>& task,
                                                 const BackwardState<T>& state, const KeyTile& tile,
                                                 const Corner& corner) {
  const T* const key = row_at<T>(tile.key, corner.row, task.key_stride);
  Block<T, R, C> scores;
  multiply<Plain<T>>(scores, key, task.key_stride, task.head_size,
                     state.query_columns + corner.lane, kQueryTile<T>, nullptr);
  if constexpr (path == Path::general) {
    Block<T, R, C> copy = scores;  // so that `scores` itself needs no memory
    finish_scores<T, R, C>(task, state, tile, corner, copy);
    scores = copy;
  }
  T* const weights = state.weights + corner.row * kQueryTile<T> + corner.lane;
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    // A general score is above lse already.
    const int lane = corner.lane + v * kLanes<T>;
    const Vector<T> lse = path == Path::general ? Vector<T>{} : load(state.lse + lane);
    const Vector<T> scaled = path == Path::general ? Vector<T>{} : load(state.scaled_lse + lane);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      Vector<T> weight = exp_above<T>(scores.at[r][v], lse, scaled);
      if constexpr (path == Path::masked) {
        const Bits<T> seen = visible<T>(tile, corner.row + r, lane);
        weight = seen ? weight : Vector<T>{};
      }
      store(weights + r * kQueryTile<T> + v * kLanes<T>, weight);
    }
  }
}

/// Where the weights are there: from the product of V and dO to dS.
template <class T, int R, int C, Path path>
inline __attribute__((always_inline)) void differentiate(const BackwardTask<T>& task,
                                                         const BackwardState<T>& state,
                                                         const KeyTile& tile,
                                                         const Corner& corner) {
  const T* const value = row_at<T>(tile.value, corner.row, task.value_stride);
  Block<T, R, C> gradients;
  multiply<Plain<T>>(gradients, value, task.value_stride, task.value_size,
                     state.output_gradient_columns + corner.lane, kQueryTile<T>,
                     path == Path::general ? nullptr : state.delta + corner.lane);
  if constexpr (path == Path::general) {
    Block<T, R, C> copy = gradients;
    finish_gradients<T, R, C>(task, state, tile, corner, copy);
    gradients = copy;
  }
  const int64_t first = corner.row * kQueryTile<T> + corner.lane;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < C; ++v) {
      const int64_t at = first + r * kQueryTile<T> + v * kLanes<T>;
      Vector<T> gradient = gradients.at[r][v];
      if constexpr (path != Path::general) gradient *= load(state.weights + at);
      if constexpr (path == Path::masked) {
        // V may hold anything where it isn't seen.
        const Bits<T> seen = visible<T>(tile, corner.row + r, corner.lane + v * kLanes<T>);
        gradient = seen ? gradient : Vector<T>{};
      }
      store(state.score_gradients + at, gradient);
    }
  }
}

/// The two steps of a strip.
enum class Step { weigh, differentiate };

/// Out of line: which products and sums the compiler fuses would else depend on the caller.
template <class T, Step step, int R, int C, Path path>
__attribute__((noinline)) void take_block(const BackwardTask<T>& task,
                                          const BackwardState<T>& state, const KeyTile& tile,
                                          const Corner& corner) {
  if constexpr (step == Step::weigh) {
    weigh<T, R, C, path>(task, state, tile, corner);
  } else {
    differentiate<T, R, C, path>(task, state, tile, corner);
  }
}

/// R keys and C vectors.
template <class T, Step step, int R, int C>
inline void take_keys(const BackwardTask<T>& task, const BackwardState<T>& state,
                      const KeyTile& tile, const Corner& corner, bool simple) {
  const uint64_t lanes = lane_bits(corner.lane, C * kLanes<T>);
  if (!simple) {
    take_block<T, step, R, C, Path::general>(task, state, tile, corner);
  } else if ((queries_seeing_all(tile, corner.row, R) & lanes) == lanes) {
    take_block<T, step, R, C, Path::plain>(task, state, tile, corner);
  } else {
    take_block<T, step, R, C, Path::masked>(task, state, tile, corner);
  }
}

/// The products go from the first query that sees a key to the last, or over whole strips: cells of
/// vectors that were passed over are 0 there.
template <class T, class N>
inline void clear_vectors(N* tile_cells, int strip, int64_t row, int64_t count, const Range& kept) {
  for (int64_t r = row; r < row + count; ++r) {
    N* const cells = tile_cells + r * kQueryTile<T> + strip * kStripLanes<T>;
    for (int64_t v = 0; v < kQueryVectors; ++v) {
      if (v >= kept.first && v < kept.last) continue;
      for (int64_t q = v * kLanes<T>; q < (v + 1) * kLanes<T>; ++q) cells[q] = 0;
    }
  }
}

/// Calls act.template operator()<R, C>(corner) for all keys of the tile and one strip: four at a
/// time, and of the vectors those that see one of the four. Before that, where vectors are passed
/// over, clear(row, count, kept).
template <class T, class Clear, class Act>
inline void for_key_groups(const KeyTile& tile, int strip, const Clear& clear, const Act& act) {
  for (int64_t row = 0; row < tile.count; row += 4) {
    const int64_t count = tile.count - row < 4 ? tile.count - row : 4;
    Range vectors = vectors_seeing<T>(tile, strip, row, count);
    if (count < 4 && vectors.last > 0) vectors = {0, kQueryVectors};
    if (vectors.last - vectors.first < kQueryVectors) clear(row, count, vectors);
    Corner corner{row, strip * kStripLanes<T> + static_cast<int>(vectors.first) * kLanes<T>};
    if (count < 4) {
      for (; vectors.last > 0 && corner.row < row + count; ++corner.row) {
        act.template operator()<1, kQueryVectors>(corner);
      }
      continue;
    }
    with_vectors(vectors.last - vectors.first,
                 [&]<int C>() { act.template operator()<4, C>(corner); });
  }
}

/// One step for all keys of the tile for one strip.
template <class T, Step step>
inline void take_strip(const BackwardTask<T>& task, const BackwardState<T>& state,
                       const KeyTile& tile, int strip) {
  const bool simple = step == Step::weigh ? is_simple(task) : has_plain_gradients(task);
  if (step == Step::weigh && task.bias != nullptr) {
    const int lane = strip * kStripLanes<T>;
    lay_out_bias(task, lane, kStripLanes<T>, tile.first, tile.count, bias_rows(state, 0, lane));
  }
  T* const cells = step == Step::weigh ? state.weights : state.score_gradients;
  for_key_groups<T>(
      tile, strip,
      [&](int64_t row, int64_t count, const Range& kept) {
        clear_vectors<T>(cells, strip, row, count, kept);
      },
      [&]<int R, int C>(const Corner& corner) {
        take_keys<T, step, R, C>(task, state, tile, corner, simple);
      });
}

}  // namespace
}  // namespace foveal
