#pragma once
// One strip of queries against a few keys, backward: the weights P again from the scores and lse,
// and dS = P (dP - delta).

#include "kernels/backward_state.h"
#include "kernels/philox.h"
#include "kernels/tile_bits.h"

namespace foveal {
namespace {

/// Whether scores need nothing but their product and the mask.
template <class T>
inline bool is_simple(const BackwardTask<T>& task) {
  return task.softcap == 0 && task.bias == nullptr && task.alibi_slope == 0 && !task.apart &&
         task.dropout == nullptr && task.slope_gradient == nullptr;
}

/// What belongs to lse of the queries from `lane` on besides.
template <class T>
inline Vector<T> rest_of_lse(const BackwardTask<T>& task, int lane) {
  Vector<T> rest{};
  for (int n = 0; n < kLanes<T> && task.lse_rest != nullptr && lane + n < task.query_count; ++n) {
    rest[n] = task.lse_rest[lane + n];
  }
  return rest;
}

/// From products to scores above lse, with all their terms, those that are masked minus infinity.
/// Keeps the softcap's derivative.
template <class T, int R, int C>
__attribute__((noinline)) void finish_scores(const BackwardTask<T>& task,
                                             const BackwardState<T>& state, const KeyTile& tile,
                                             const Corner& corner, Block<T, R, C>& scores) {
  for (int v = 0; v < C; ++v) {
    const int lane = corner.lane + v * kLanes<T>;
    const Vector<T> lse = load(state.lse + lane), rest = rest_of_lse(task, lane);
    for (int r = 0; r < R; ++r) {
      const int64_t row = corner.row + r;
      Vector<T> slope{};
      Vector<T> score = with_terms<T>(task, scores.at[r][v], lane, tile.first + row, slope);
      if (task.softcap > 0) store(state.slopes + row * kQueryTile<T> + lane, slope);
      score = (score - lse) - rest;
      if (tile.bits != nullptr) {
        score = visible<T>(tile, row, lane) ? score : broadcast(kMasked<T>);
      }
      scores.at[r][v] = score;
    }
  }
}

/// Multiplies dP and the block's weights by the factors of dropout; dS from the weights before it.
template <class T, int R, int C>
__attribute__((noinline)) void finish_gradients(const BackwardTask<T>& task,
                                                const BackwardState<T>& state, const KeyTile& tile,
                                                const Corner& corner, Block<T, R, C>& gradients) {
  T kept[R][C * kLanes<T>];
  for (int q = 0; q < C * kLanes<T> && task.dropout != nullptr; ++q) {
    DropoutRow row(*task.dropout, task.first_query + corner.lane + q);
    for (int r = 0; r < R; ++r) {
      kept[r][q] = static_cast<T>(row.factor(tile.first + corner.row + r));
    }
  }
  for (int v = 0; v < C; ++v) {
    const int lane = corner.lane + v * kLanes<T>;
    const Vector<T> delta = load(state.delta + lane);
    for (int r = 0; r < R; ++r) {
      T* const at = state.weights + (corner.row + r) * kQueryTile<T> + lane;
      const Vector<T> weight = load(at);
      Vector<T> gradient = gradients.at[r][v];
      if (task.dropout != nullptr) {
        const Vector<T> factor = load(kept[r] + v * kLanes<T>);
        gradient *= factor;
        store(at, weight * factor);
      }
      gradient = weight * (gradient - delta);
      if (tile.bits != nullptr) {
        gradient = visible<T>(tile, corner.row + r, lane) ? gradient : Vector<T>{};
      }
      gradients.at[r][v] = gradient;
    }
  }
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

/// dS of `rows` keys and `lanes` queries goes to bias and slope, and through the softcap.
template <class T>
__attribute__((noinline)) void pass_terms(const BackwardTask<T>& task,
                                          const BackwardState<T>& state, const KeyTile& tile,
                                          const Corner& corner, int rows, int lanes) {
  for (int64_t row = corner.row; row < corner.row + rows; ++row) {
    T* const gradients = state.score_gradients + row * kQueryTile<T> + corner.lane;
    if (task.bias_gradient != nullptr || task.slope_gradient != nullptr) {
      add_term_gradients<T>(task, gradients, corner.lane, lanes, tile.first + row);
    }
    if (task.softcap == 0) continue;
    const T* const slopes = state.slopes + row * kQueryTile<T> + corner.lane;
    for (int q = 0; q < lanes; ++q) {
      // Where a cell is masked its slope may be NaN.
      gradients[q] = gradients[q] == 0 ? 0 : gradients[q] * slopes[q];
    }
  }
}

/// From the product with Q to weights.
template <class T, int R, int C, Path path>
inline __attribute__((always_inline)) void weigh(const BackwardTask<T>& task,
                                                 const BackwardState<T>& state, const KeyTile& tile,
                                                 const Corner& corner) {
  const T* const key = row_at<T>(tile.key, corner.row, task.key_stride);
  Block<T, R, C> scores;
  multiply<T, R, C>(scores, {key, task.key_stride, 1}, state.query_columns + corner.lane,
                    kQueryTile<T>, task.head_size, nullptr);
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
  multiply<T, R, C>(gradients, {value, task.value_stride, 1},
                    state.output_gradient_columns + corner.lane, kQueryTile<T>, task.value_size,
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
  if constexpr (path == Path::general) {
    pass_terms(task, state, tile, corner, R, C * kLanes<T>);
  }
}

/// The two steps of a strip.
enum class Step { weigh, differentiate };

template <class T, Step step, int R, int C, Path path>
void take_block(const BackwardTask<T>& task, const BackwardState<T>& state, const KeyTile& tile,
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
template <class T>
inline void clear_vectors(T* tile_cells, int strip, int64_t row, int64_t count, const Range& kept) {
  for (int64_t r = row; r < row + count; ++r) {
    T* const cells = tile_cells + r * kQueryTile<T> + strip * kStripLanes<T>;
    for (int64_t v = 0; v < kQueryVectors; ++v) {
      if (v < kept.first || v >= kept.last) store(cells + v * kLanes<T>, Vector<T>{});
    }
  }
}

/// One step for all keys of the tile for one strip: four at a time, and of the vectors those that
/// see one of the four.
template <class T, Step step>
inline void take_strip(const BackwardTask<T>& task, const BackwardState<T>& state,
                       const KeyTile& tile, int strip) {
  const bool simple = is_simple(task);
  for (int64_t row = 0; row < tile.count; row += 4) {
    const int64_t count = tile.count - row < 4 ? tile.count - row : 4;
    Range vectors = vectors_seeing<T>(tile, strip, row, count);
    if (count < 4 && vectors.last > 0) vectors = {0, kQueryVectors};
    if (vectors.last - vectors.first < kQueryVectors) {
      clear_vectors(step == Step::weigh ? state.weights : state.score_gradients, strip, row, count,
                    vectors);
    }
    Corner corner{row, strip * kStripLanes<T> + static_cast<int>(vectors.first) * kLanes<T>};
    if (count < 4) {
      for (; vectors.last > 0 && corner.row < row + count; ++corner.row) {
        take_keys<T, step, 1, kQueryVectors>(task, state, tile, corner, simple);
      }
      continue;
    }
    switch (vectors.last - vectors.first) {
      case 0:
        break;
      case 1:
        take_keys<T, step, 4, 1>(task, state, tile, corner, simple);
        break;
      case 2:
        take_keys<T, step, 4, 2>(task, state, tile, corner, simple);
        break;
      case 3:
        take_keys<T, step, 4, 3>(task, state, tile, corner, simple);
        break;
      default:
        take_keys<T, step, 4, kQueryVectors>(task, state, tile, corner, simple);
        break;
    }
  }
}

}  // namespace
}  // namespace foveal
