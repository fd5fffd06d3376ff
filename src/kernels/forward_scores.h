#pragma once
// Scores of one strip of queries: product, softcap, bias, ALiBi, mask, and the weights they become.

#include "kernels/forward_state.h"
#include "kernels/philox.h"

namespace foveal {
namespace {

/// R keys of one strip, as they lie in registers.
template <class T, int R>
using Scores = Block<T, R, kQueryVectors>;

/// The strip and rows that a block of scores belongs to.
struct Place {
  int strip = 0;
  int64_t first_row = 0;  ///< the strip's weights of this tile begin here
  int64_t row = 0;        ///< the block's first row

  template <class T>
  int lane(int vector) const {
    return strip * kStripLanes<T> + vector * kLanes<T>;
  }
};

/// The largest score of each lane. NaN is passed over, unless it comes first.
template <class T, int R>
inline __attribute__((always_inline)) Vector<T> top_of(const Scores<T, R>& scores, int vector) {
  Vector<T> top = scores.at[0][vector];
#pragma GCC unroll 16
  for (int r = 1; r < R; ++r) top = larger(scores.at[r][vector], top);
  return top;
}

/// A new maximum for the lanes whose scores pass their limit; all that was made against the old one
/// is rescaled: the sum, the output, and the tile's weights so far. Rare, so kept out of line.
template <class T, int R>
__attribute__((noinline)) void raise_maximum(const ForwardTask<T>& task,
                                             const ForwardState<T>& state, const Place& place,
                                             Scores<T, R>& scores) {
  const auto multiply = [](T* at, Vector<T> factor) { store(at, load(at) * factor); };
  for (int v = 0; v < kQueryVectors; ++v) {
    const int lane = place.lane<T>(v);
    const Vector<T> top = top_of<T, R>(scores, v), limit = load(state.limit + lane);
    const Bits<T> raised = top > limit;
    const Vector<T> shift = raised ? top : Vector<T>{};
    // What a row without a maximum holds is zeros: it needs no factor, and 2^-shift may overflow.
    const Bits<T> rescaled = raised & (limit != kUnset<T>);
    const Vector<T> factor = exp2(rescaled ? -shift : Vector<T>{});
    for (int r = 0; r < R; ++r) scores.at[r][v] -= shift;
    store(state.maximum + lane, load(state.maximum + lane) + shift);
    store(state.limit + lane, raised ? broadcast(task.slack) : limit);
    multiply(state.sum + lane, factor);
    for (int64_t k = place.first_row; k < place.row; ++k) {
      multiply(state.weights + k * kQueryTile<T> + lane, factor);
    }
    for (int64_t d = 0; d < task.value_size; ++d) {
      multiply(state.output + d * kQueryTile<T> + lane, factor);
    }
  }
}

/// Softcap, bias, ALiBi and the mask, on scores as they come from the product; leaves units of log2
/// above the row's maximum.
template <class T, int R>
__attribute__((noinline)) void finish_scores(const ForwardTask<T>& task,
                                             const ForwardState<T>& state, const KeyTile& tile,
                                             const Place& place, Scores<T, R>& scores) {
  for (int v = 0; v < kQueryVectors; ++v) {
    const int lane = place.lane<T>(v);
    const Vector<T> maximum = load(state.maximum + lane);
    for (int r = 0; r < R; ++r) {
      const int64_t j = tile.first + place.row + r;
      Vector<T> score = scores.at[r][v];
      if (task.softcap > 0) score = hyperbolic_tangent<T>(score) * (task.softcap * kLog2E<T>);
      if (task.bias != nullptr) score += bias_of(task, lane, j) * kLog2E<T>;
      if (task.alibi_slope != 0) score -= distance(task, lane, j) * (task.alibi_slope * kLog2E<T>);
      score -= maximum;
      if (tile.bits != nullptr) {
        score = lanes_of<T>(tile.bits[place.row + r] >> lane) ? score : broadcast(kMasked<T>);
      }
      scores.at[r][v] = score;
    }
  }
}

/// Multiplies `count` rows of weights by the factors of dropout. The row sums stay: weights are
/// dropped after softmax.
template <class T>
__attribute__((noinline)) void drop_weights(const ForwardTask<T>& task,
                                            const ForwardState<T>& state, const KeyTile& tile,
                                            const Place& place, int count) {
  T* const weights = state.weights + place.row * kQueryTile<T> + place.lane<T>(0);
  for (int q = 0; q < kStripLanes<T>; ++q) {
    double factor[4];
    dropout_factors(*task.dropout, (tile.first + place.row) / 4,
                    task.first_query + place.lane<T>(0) + q, factor);
    for (int r = 0; r < count; ++r) weights[r * kQueryTile<T> + q] *= static_cast<T>(factor[r]);
  }
}

/// Scores above the maximum become weights, and join the row sums.
template <class T, int R>
inline __attribute__((always_inline)) void absorb(const ForwardTask<T>& task,
                                                  const ForwardState<T>& state, const Place& place,
                                                  Scores<T, R>& scores) {
  Bits<T> passed{};
#pragma GCC unroll 16
  for (int v = 0; v < kQueryVectors; ++v) {
    passed |= top_of<T, R>(scores, v) > load(state.limit + place.lane<T>(v));
  }
  if (__builtin_expect(any(passed), 0)) {
    Scores<T, R> copy = scores;  // so that `scores` itself needs no memory
    raise_maximum<T, R>(task, state, place, copy);
    scores = copy;
  }
#pragma GCC unroll 16
  for (int v = 0; v < kQueryVectors; ++v) {
    const int lane = place.lane<T>(v);
    Vector<T> sum = load(state.sum + lane);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vector<T> weight = exp2(scores.at[r][v]);
      sum += weight;
      store(state.weights + (place.row + r) * kQueryTile<T> + lane, weight);
    }
    store(state.sum + lane, sum);
  }
}

/// R keys of one strip, from the product to weights.
template <class T, int R>
inline __attribute__((always_inline)) void score_rows(const ForwardTask<T>& task,
                                                      const ForwardState<T>& state,
                                                      const KeyTile& tile, const Place& place) {
  const bool plain =
      tile.bits == nullptr && task.softcap == 0 && task.bias == nullptr && task.alibi_slope == 0;
  Scores<T, R> scores;
#pragma GCC unroll 16
  for (int v = 0; v < kQueryVectors; ++v) {
    const Vector<T> start = plain ? -load(state.maximum + place.lane<T>(v)) : Vector<T>{};
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) scores.at[r][v] = start;
  }
  const Rows<T> keys{task.key + (tile.first + place.row) * task.key_stride, task.key_stride, 1};
  scores.add_product(keys, state.query + place.lane<T>(0), kQueryTile<T>, task.head_size);
  if (!plain) {
    Scores<T, R> copy = scores;
    finish_scores<T, R>(task, state, tile, place, copy);
    scores = copy;
  }
  absorb<T, R>(task, state, place, scores);
  if (task.dropout != nullptr) drop_weights<T>(task, state, tile, place, R);
}

/// Rows of weights that a strip has filled; the others are not to be read.
struct RowRange {
  int64_t first = 0, last = 0;
};

/// Whether a lane of the strip sees one of the keys row .. row + count - 1.
template <class T>
inline bool strip_sees(const KeyTile& tile, int strip, int64_t row, int64_t count) {
  if (tile.bits == nullptr) return true;
  uint64_t seen = 0;
  for (int64_t r = row; r < row + count; ++r) seen |= tile.bits[r];
  return (seen >> (strip * kStripLanes<T>)&(~uint64_t{0} >> (64 - kStripLanes<T>))) != 0;
}

template <class T>
inline void clear_weights(const ForwardState<T>& state, int strip, int64_t row, int64_t count) {
  for (int64_t r = row; r < row + count; ++r) {
    T* weights = state.weights + r * kQueryTile<T> + strip * kStripLanes<T>;
    for (int q = 0; q < kStripLanes<T>; ++q) weights[q] = 0;
  }
}

/// All keys of the tile for one strip, four at a time; groups that no lane sees are passed over.
template <class T>
inline RowRange score_strip(const ForwardTask<T>& task, const ForwardState<T>& state,
                            const KeyTile& tile, int strip) {
  RowRange range;
  for (int64_t row = 0; row < tile.count; row += 4) {
    const int64_t count = tile.count - row < 4 ? tile.count - row : 4;
    if (!strip_sees<T>(tile, strip, row, count)) {
      if (range.last != 0) clear_weights(state, strip, row, count);
      continue;
    }
    if (range.last == 0) range.first = row;
    const Place place{strip, range.first, row};
    switch (count) {
      case 4:
        score_rows<T, 4>(task, state, tile, place);
        break;
      case 3:
        score_rows<T, 3>(task, state, tile, place);
        break;
      case 2:
        score_rows<T, 2>(task, state, tile, place);
        break;
      default:
        score_rows<T, 1>(task, state, tile, place);
        break;
    }
    range.last = row + count;
  }
  return range;
}

}  // namespace
}  // namespace foveal
