#pragma once
// Scores of a few keys for a few vectors of queries: product, softcap, bias, ALiBi, mask, and the
// weights they become.

#include "kernels/philox.h"
#include "kernels/prefetch.h"
#include "kernels/tile_bits.h"

namespace foveal {
namespace {

/// Keys that a block of C vectors takes, so that its sums fill the registers.
constexpr int keys_per_block(int vectors) {
  int keys = 4;
  while (keys < 16 && 2 * keys * vectors <= 4 * kQueryVectors) keys *= 2;
  return keys;
}

/// Whether scores need nothing but their product and the mask.
template <class T>
inline bool is_simple(const ForwardTask<T>& task) {
  return task.softcap == 0 && task.bias == nullptr && task.alibi_slope == 0;
}

/// The largest score of each lane. NaN is passed over, unless it comes first.
template <class T, int R, int C>
inline __attribute__((always_inline)) Vector<T> top_of(const Block<T, R, C>& scores, int vector) {
  Vector<T> top = scores.at[0][vector];
#pragma GCC unroll 16
  for (int r = 1; r < R; ++r) top = larger(scores.at[r][vector], top);
  return top;
}

/// A new maximum for the lanes whose scores pass their limit; all that was made against the old one
/// is rescaled: the sum, the output, and the weights from `first_row` on. Rare, so kept out of
/// line.
template <class T, int R, int C>
__attribute__((noinline)) void raise_maximum(const ForwardTask<T>& task,
                                             const ForwardState<T>& state, const Corner& corner,
                                             int64_t first_row, Block<T, R, C>& scores) {
  const auto multiply = [](T* at, Vector<T> factor) { store(at, load(at) * factor); };
  for (int v = 0; v < C; ++v) {
    const int lane = corner.lane + v * kLanes<T>;
    const Vector<T> top = top_of(scores, v), limit = load(state.limit + lane);
    const Bits<T> raised = top > limit;
    const Vector<T> shift = raised ? top : Vector<T>{};
    // What a row without a maximum holds is zeros: it needs no factor, and 2^-shift may overflow.
    const Bits<T> rescaled = raised & (limit != kUnset<T>);
    const Vector<T> factor = exp2(rescaled ? -shift : Vector<T>{});
    for (int r = 0; r < R; ++r) scores.at[r][v] -= shift;
    store(state.maximum + lane, load(state.maximum + lane) + shift);
    store(state.limit + lane, raised ? broadcast(task.slack) : limit);
    if (!any(rescaled)) continue;
    multiply(state.sum + lane, factor);
    for (int64_t k = first_row; k < corner.row; ++k) {
      multiply(state.weights + k * kQueryTile<T> + lane, factor);
    }
    for (int64_t d = 0; d < task.value_size; ++d) {
      multiply(state.output + d * kQueryTile<T> + lane, factor);
    }
  }
}

/// Softcap, bias, ALiBi and the mask, on scores as they come from the product; leaves units of log2
/// above the row's maximum.
template <class T, int R, int C>
__attribute__((noinline)) void finish_scores(const ForwardTask<T>& task,
                                             const ForwardState<T>& state, const KeyTile& tile,
                                             const Corner& corner, Block<T, R, C>& scores) {
  for (int v = 0; v < C; ++v) {
    const int lane = corner.lane + v * kLanes<T>;
    const Vector<T> maximum = load(state.maximum + lane);
    for (int r = 0; r < R; ++r) {
      const int64_t j = tile.first + corner.row + r;
      Vector<T> score = scores.at[r][v];
      if (task.softcap > 0) score = hyperbolic_tangent<T>(score) * (task.softcap * kLog2E<T>);
      if (task.bias != nullptr) score += bias_of(task, lane, j) * kLog2E<T>;
      if (task.alibi_slope != 0) score -= distance(task, lane, j) * (task.alibi_slope * kLog2E<T>);
      scores.at[r][v] = score - maximum;
    }
  }
}

/// Multiplies a block's weights by the factors of dropout. The row sums stay: weights are dropped
/// after softmax.
template <class T>
__attribute__((noinline)) void drop_weights(const ForwardTask<T>& task,
                                            const ForwardState<T>& state, const KeyTile& tile,
                                            const Corner& corner, int rows, int lanes) {
  const int64_t first = tile.first + corner.row;
  T* const weights = state.weights + corner.row * kQueryTile<T> + corner.lane;
  for (int q = 0; q < lanes; ++q) {
    double factor[4] = {};
    for (int64_t j = first; j < first + rows; ++j) {
      if (j == first || j % 4 == 0) {
        dropout_factors(*task.dropout, j / 4, task.first_query + corner.lane + q, factor);
      }
      weights[(j - first) * kQueryTile<T> + q] *= static_cast<T>(factor[j % 4]);
    }
  }
}

template <class T, int R, int C>
inline __attribute__((always_inline)) void hide(const KeyTile& tile, const Corner& corner,
                                                Block<T, R, C>& scores) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < C; ++v) {
      const Bits<T> seen = visible<T>(tile, corner.row + r, corner.lane + v * kLanes<T>);
      scores.at[r][v] = seen ? scores.at[r][v] : broadcast(kMasked<T>);
    }
  }
}

/// Scores above the maximum become weights, and join the row sums.
template <class T, int R, int C>
inline __attribute__((always_inline)) void absorb(const ForwardTask<T>& task,
                                                  const ForwardState<T>& state,
                                                  const Corner& corner, int64_t first_row,
                                                  Block<T, R, C>& scores) {
  Bits<T> passed{};
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    passed |= top_of(scores, v) > load(state.limit + corner.lane + v * kLanes<T>);
  }
  if (__builtin_expect(any(passed), 0)) {
    Block<T, R, C> copy = scores;  // so that `scores` itself needs no memory
    raise_maximum<T, R, C>(task, state, corner, first_row, copy);
    scores = copy;
  }
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    const int lane = corner.lane + v * kLanes<T>;
    Vector<T> sum = load(state.sum + lane);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vector<T> weight = exp2(scores.at[r][v]);
      sum += weight;
      store(state.weights + (corner.row + r) * kQueryTile<T> + lane, weight);
    }
    store(state.sum + lane, sum);
  }
}

/// One block, from the product to weights. `rows` begins with the first row whose weights are still
/// to be multiplied with V.
template <class T, int R, int C>
inline __attribute__((always_inline)) void score_block(const ForwardTask<T>& task,
                                                       const ForwardState<T>& state,
                                                       const KeyTile& tile, const Corner& corner,
                                                       int64_t first_row) {
  const bool simple = is_simple(task);
  const int64_t row = tile.first + corner.row;
  const T* const key = task.key + row * task.key_stride;
  if (task.keys_are_new) {
    // Past the last key too: a prefetch of what isn't there does nothing.
    prefetch_rows(task.value + row * task.value_stride, task.value_stride, R, task.value_size);
    prefetch_rows(key + R * task.key_stride, task.key_stride, R, task.head_size);
  }
  Block<T, R, C> scores;
  multiply<T, R, C>(scores, {key, task.key_stride, 1}, state.query + corner.lane, task.head_size,
                    simple ? state.maximum + corner.lane : nullptr);
  if (!simple) {
    Block<T, R, C> copy = scores;
    finish_scores<T, R, C>(task, state, tile, corner, copy);
    scores = copy;
  }
  if (tile.bits != nullptr) hide(tile, corner, scores);
  absorb<T, R, C>(task, state, corner, first_row, scores);
  if (task.dropout != nullptr) drop_weights(task, state, tile, corner, R, C * kLanes<T>);
}

/// Rows of keys of a tile, and the vectors of queries from `lane` on that they concern.
struct Segment {
  Range rows;
  int lane = 0, vectors = 0;
};

template <class T, int C>
void score_rows(const ForwardTask<T>& task, const ForwardState<T>& state, const KeyTile& tile,
                const Segment& segment) {
  constexpr int R = keys_per_block(C);
  const auto [first, last] = segment.rows;
  Corner corner{first, segment.lane};
  for (; corner.row + R <= last; corner.row += R) {
    score_block<T, R, C>(task, state, tile, corner, first);
  }
  for (; corner.row < last; ++corner.row) {
    score_block<T, 1, C>(task, state, tile, corner, first);
  }
}

/// The rows from `row` on that concern the same vectors of the strip, sixteen at a time.
template <class T>
inline Segment next_segment(const KeyTile& tile, int strip, int64_t row) {
  constexpr int64_t kStep = 16;
  const int lane = strip * kStripLanes<T>;
  if (tile.bits == nullptr) return {{row, tile.count}, lane, kQueryVectors};
  const auto concerned = [&](int64_t from) {
    return vectors_seeing<T>(tile, strip, from,
                             tile.count - from < kStep ? tile.count - from : kStep);
  };
  const Range vectors = concerned(row);
  int64_t last = row + kStep;
  for (; last < tile.count; last += kStep) {
    const Range next = concerned(last);
    if (next.first != vectors.first || next.last != vectors.last) break;
  }
  if (last > tile.count) last = tile.count;
  // Of the last step, whole blocks that no query sees are left out: padding ends anywhere.
  const int64_t block = keys_per_block(static_cast<int>(vectors.last - vectors.first));
  while (vectors.last > 0 && last - row > block) {
    const int64_t first = row + (last - row - 1) / block * block;
    if (vectors_seeing<T>(tile, strip, first, last - first).last > 0) break;
    last = first;
  }
  return {{row, last},
          lane + static_cast<int>(vectors.first) * kLanes<T>,
          static_cast<int>(vectors.last - vectors.first)};
}

/// Calls visit.template operator()<C>(segment) for each segment of a strip that has queries, C its
/// vectors.
template <class T, class Visit>
inline void for_each_segment(const KeyTile& tile, int strip, const Visit& visit) {
  for (int64_t row = 0; row < tile.count;) {
    const Segment segment = next_segment<T>(tile, strip, row);
    row = segment.rows.last;
    switch (segment.vectors) {
      case 1:
        visit.template operator()<1>(segment);
        break;
      case 2:
        visit.template operator()<2>(segment);
        break;
      case 3:
        visit.template operator()<3>(segment);
        break;
      case 4:
        visit.template operator()<kQueryVectors>(segment);
        break;
      default:
        break;
    }
  }
}

}  // namespace
}  // namespace foveal
