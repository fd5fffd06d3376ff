#pragma once
// One strip of queries against a few keys, backward: the weights P again from the scores and lse,
// and dS = P (dP - delta).

#include "kernels/backward_state.h"
#include "kernels/forward_scores.h"

namespace foveal {
namespace {

/// Whether scores need nothing but their product.
template <class T>
inline bool is_plain(const BackwardTask<T>& task) {
  return task.softcap == 0 && task.bias == nullptr && task.alibi_slope == 0 &&
         task.dropout == nullptr && task.slope_gradient == nullptr;
}

/// R keys' rows of one strip: `start` (one number a query, subtracted) and then the product of
/// `keys` with `columns`.
template <class T, int R>
inline __attribute__((always_inline)) void multiply(Scores<T, R>& block, const Rows<T>& keys,
                                                    const T* columns, int64_t size,
                                                    const T* start) {
#pragma GCC unroll 16
  for (int v = 0; v < kQueryVectors; ++v) {
    const Vector<T> first = start == nullptr ? Vector<T>{} : -load(start + v * kLanes<T>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) block.at[r][v] = first;
  }
  block.add_product(keys, columns, kQueryTile<T>, size);
}

/// Softcap, bias, ALiBi and the mask, on scores as they come from the product; leaves units of log2
/// above lse. Keeps the softcap's derivative.
template <class T, int R>
__attribute__((noinline)) void finish_scores(const BackwardTask<T>& task,
                                             const BackwardState<T>& state, const KeyTile& tile,
                                             const Place& place, Scores<T, R>& scores) {
  for (int v = 0; v < kQueryVectors; ++v) {
    const int lane = place.lane<T>(v);
    const Vector<T> lse = load(state.lse + lane);
    for (int r = 0; r < R; ++r) {
      const int64_t j = tile.first + place.row + r;
      Vector<T> score = scores.at[r][v];
      if (task.softcap > 0) {
        score = hyperbolic_tangent<T>(score);
        store(state.slopes + (place.row + r) * kQueryTile<T> + lane, 1 - score * score);
        score *= task.softcap * kLog2E<T>;
      }
      if (task.bias != nullptr) score += bias_of<T>(task, lane, j) * kLog2E<T>;
      if (task.alibi_slope != 0) {
        score -= distance<T>(task, lane, j) * (task.alibi_slope * kLog2E<T>);
      }
      score -= lse;
      if (tile.bits != nullptr) {
        score = lanes_of<T>(tile.bits[place.row + r] >> lane) ? score : broadcast(kMasked<T>);
      }
      scores.at[r][v] = score;
    }
  }
}

/// Multiplies dP and the strip's weights by the factors of dropout; dS from the weights before it.
template <class T, int R>
__attribute__((noinline)) void finish_gradients(const BackwardTask<T>& task,
                                                const BackwardState<T>& state, const KeyTile& tile,
                                                const Place& place, Scores<T, R>& gradients) {
  T kept[4][kStripLanes<T>];
  for (int q = 0; q < kStripLanes<T> && task.dropout != nullptr; ++q) {
    double factor[4];
    dropout_factors(*task.dropout, (tile.first + place.row) / 4,
                    task.first_query + place.lane<T>(0) + q, factor);
    for (int r = 0; r < R; ++r) kept[r][q] = static_cast<T>(factor[r]);
  }
  for (int v = 0; v < kQueryVectors; ++v) {
    const int lane = place.lane<T>(v);
    const Vector<T> delta = load(state.delta + lane);
    for (int r = 0; r < R; ++r) {
      T* const at = state.weights + (place.row + r) * kQueryTile<T> + lane;
      const Vector<T> weight = load(at);
      Vector<T> gradient = gradients.at[r][v];
      if (task.dropout != nullptr) {
        const Vector<T> factor = load(kept[r] + v * kLanes<T>);
        gradient *= factor;
        store(at, weight * factor);
      }
      gradient = weight * (gradient - delta);
      if (tile.bits != nullptr) {
        gradient = lanes_of<T>(tile.bits[place.row + r] >> lane) ? gradient : Vector<T>{};
      }
      gradients.at[r][v] = gradient;
    }
  }
}

/// Adds dS, which `score_gradients` holds for one key, to the gradients of bias and slope.
template <class T>
__attribute__((noinline)) void add_term_gradients(const BackwardTask<T>& task, const T* gradients,
                                                  int64_t lane, int64_t j) {
  double sum = 0, slope = 0;
  T* const bias = task.bias_gradient + j * task.bias_gradient_key_stride;
  for (int q = 0; q < kStripLanes<T> && lane + q < task.query_count; ++q) {
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

/// Whether all lanes of the strip see all of these keys.
template <class T>
inline bool strip_sees_all(const KeyTile& tile, int strip, int64_t row, int64_t count) {
  if (tile.bits == nullptr) return true;
  uint64_t seen = ~uint64_t{0};
  for (int64_t r = row; r < row + count; ++r) seen &= tile.bits[r];
  const uint64_t lanes = ~uint64_t{0} >> (64 - kStripLanes<T>);
  return (seen >> (strip * kStripLanes<T>)&lanes) == lanes;
}

/// R keys of one strip, from the product with Q to weights.
template <class T, int R>
inline __attribute__((always_inline)) void weigh_rows(const BackwardTask<T>& task,
                                                      const BackwardState<T>& state,
                                                      const KeyTile& tile, const Place& place,
                                                      bool plain) {
  const int lane = place.lane<T>(0);
  const T* const key = task.key + (tile.first + place.row) * task.key_stride;
  Scores<T, R> scores;
  multiply<T, R>(scores, {key, task.key_stride, 1}, state.query_columns + lane, task.head_size,
                 plain ? state.lse + lane : nullptr);
  if (!plain) {
    Scores<T, R> copy = scores;  // so that `scores` itself needs no memory
    finish_scores<T, R>(task, state, tile, place, copy);
    scores = copy;
  }
  T* const weights = state.weights + place.row * kQueryTile<T> + lane;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kQueryVectors; ++v) {
      store(weights + r * kQueryTile<T> + v * kLanes<T>, exp2(scores.at[r][v]));
    }
  }
}

/// Their gradients go to bias and slope, and through the softcap.
template <class T>
__attribute__((noinline)) void pass_terms(const BackwardTask<T>& task,
                                          const BackwardState<T>& state, const KeyTile& tile,
                                          const Place& place, int count) {
  const int lane = place.lane<T>(0);
  for (int64_t row = place.row; row < place.row + count; ++row) {
    T* const gradients = state.score_gradients + row * kQueryTile<T> + lane;
    if (task.bias_gradient != nullptr || task.slope_gradient != nullptr) {
      add_term_gradients<T>(task, gradients, lane, tile.first + row);
    }
    if (task.softcap == 0) continue;
    const T* const slopes = state.slopes + row * kQueryTile<T> + lane;
    for (int q = 0; q < kStripLanes<T>; ++q) {
      // Where a cell is masked its slope may be NaN.
      gradients[q] = gradients[q] == 0 ? 0 : gradients[q] * slopes[q];
    }
  }
}

/// R keys of one strip whose weights are there: from the product of V and dO to dS.
template <class T, int R>
inline __attribute__((always_inline)) void differentiate_rows(const BackwardTask<T>& task,
                                                              const BackwardState<T>& state,
                                                              const KeyTile& tile,
                                                              const Place& place, bool plain) {
  const int lane = place.lane<T>(0);
  const T* const value = task.value + (tile.first + place.row) * task.value_stride;
  Scores<T, R> gradients;
  multiply<T, R>(gradients, {value, task.value_stride, 1}, state.output_gradient_columns + lane,
                 task.value_size, plain ? state.delta + lane : nullptr);
  if (!plain) {
    Scores<T, R> copy = gradients;
    finish_gradients<T, R>(task, state, tile, place, copy);
    gradients = copy;
  }
  const int64_t first = place.row * kQueryTile<T> + lane;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kQueryVectors; ++v) {
      const int64_t at = first + r * kQueryTile<T> + v * kLanes<T>;
      const Vector<T> gradient = gradients.at[r][v];
      store(state.score_gradients + at, plain ? gradient * load(state.weights + at) : gradient);
    }
  }
  if (!plain) pass_terms(task, state, tile, place, R);
}

/// Weights and gradients of cells that no query sees.
template <class T>
inline void clear_rows(const BackwardState<T>& state, int strip, int64_t row, int64_t count) {
  for (int64_t r = row; r < row + count; ++r) {
    const int64_t at = r * kQueryTile<T> + strip * kStripLanes<T>;
    for (int q = 0; q < kStripLanes<T>; ++q) state.weights[at + q] = 0;
    for (int q = 0; q < kStripLanes<T>; ++q) state.score_gradients[at + q] = 0;
  }
}

/// What happens to a group of up to four keys of one strip.
enum class Step { weigh, differentiate };

template <class T, Step step, int R>
inline void take_rows(const BackwardTask<T>& task, const BackwardState<T>& state,
                      const KeyTile& tile, const Place& place, bool plain) {
  if constexpr (step == Step::weigh) {
    weigh_rows<T, R>(task, state, tile, place, plain);
  } else {
    differentiate_rows<T, R>(task, state, tile, place, plain);
  }
}

/// One step for all keys of the tile for one strip, four at a time.
template <class T, Step step>
inline void take_strip(const BackwardTask<T>& task, const BackwardState<T>& state,
                       const KeyTile& tile, int strip) {
  for (int64_t row = 0; row < tile.count; row += 4) {
    const int64_t count = tile.count - row < 4 ? tile.count - row : 4;
    const Place place{strip, 0, row};
    if (!strip_sees<T>(tile, strip, row, count)) {
      clear_rows(state, strip, row, count);
      continue;
    }
    const bool plain = is_plain(task) && strip_sees_all<T>(tile, strip, row, count);
    switch (count) {
      case 4:
        take_rows<T, step, 4>(task, state, tile, place, plain);
        break;
      case 3:
        take_rows<T, step, 3>(task, state, tile, place, plain);
        break;
      case 2:
        take_rows<T, step, 2>(task, state, tile, place, plain);
        break;
      default:
        take_rows<T, step, 1>(task, state, tile, place, plain);
        break;
    }
  }
}

}  // namespace
}  // namespace foveal
