#pragma once
// Scores of a few keys for a few vectors of queries: product, softcap, bias, ALiBi, mask, and the
// weights they become.

#include "kernels/forward_observe.h"
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
    raise_observation(task, lane, shift, factor, load(state.sum + lane));
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
/// above the row's maximum, of which `maxima` holds the tile's.
template <class T, int R, int C>
__attribute__((noinline)) void finish_scores(const ForwardTask<T>& task, const T* maxima,
                                             const KeyTile& tile, const Corner& corner,
                                             Block<T, R, C>& scores) {
  for (int v = 0; v < C; ++v) {
    const int lane = corner.lane + v * kLanes<T>;
    const Vector<T> maximum = load(maxima + lane);
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
__attribute__((noinline)) void multiply_factors(const ForwardTask<T>& task,
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

template <class T>
inline void drop_weights(const ForwardTask<T>& task, const ForwardState<T>& state,
                         const KeyTile& tile, const Corner& corner, int rows, int lanes) {
  if (task.dropout != nullptr) multiply_factors(task, state, tile, corner, rows, lanes);
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

/// Keeps a block's scores above the maximum, raised where they pass its limit, where their weights
/// will be.
template <class T, int R, int C>
inline __attribute__((always_inline)) void keep_scores(const ForwardTask<T>& task,
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
  T* const at = state.weights + corner.row * kQueryTile<T> + corner.lane;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < C; ++v) store(at + r * kQueryTile<T> + v * kLanes<T>, scores.at[r][v]);
  }
}

/// Vector n of a block's kept scores becomes weights, which join the row sums: `sum` holds those of
/// one vector of queries while its R keys follow one another.
template <class T, int R, bool observed>
inline __attribute__((always_inline)) void weigh(const ForwardTask<T>& task,
                                                 const ForwardState<T>& state, const KeyTile& tile,
                                                 const Corner& corner, int n, Vector<T>& sum) {
  const int lane = corner.lane + n / R * kLanes<T>;
  T* const at = state.weights + (corner.row + n % R) * kQueryTile<T> + lane;
  if (n % R == 0) sum = load(state.sum + lane);
  const Vector<T> score = load(at), weight = exp2(score);
  sum += weight;
  if constexpr (observed) {
    observe(task, state, score, weight, lane, tile.first + corner.row + n % R);
  }
  store(at, weight);
  if (n % R == R - 1) store(state.sum + lane, sum);
}

/// The same for a whole block, out of line to keep the code of the products small; and dropout.
template <class T, int R, int C>
__attribute__((noinline)) void weigh_block(const ForwardTask<T>& task, const ForwardState<T>& state,
                                           const KeyTile& tile, const Corner& corner) {
  Vector<T> sum{};
  if (task.observation != nullptr) {
#pragma GCC unroll 1
    for (int n = 0; n < R * C; ++n) weigh<T, R, true>(task, state, tile, corner, n, sum);
  } else {
#pragma GCC unroll 16
    for (int n = 0; n < R * C; ++n) weigh<T, R, false>(task, state, tile, corner, n, sum);
  }
  drop_weights(task, state, tile, corner, R, C * kLanes<T>);
}

/// Whether blocks become weights between the steps of the next block's product. Narrow ones are
/// few.
template <int R, int C>
constexpr bool kInterleaved = R > 1 && C == kQueryVectors;

/// One block, from the product to scores that are kept; the block before it becomes weights if it
/// is `pending`. `first_row` is the first row whose weights are still to be multiplied with V.
template <class T, int R, int C>
inline __attribute__((always_inline)) void score_block(const ForwardTask<T>& task,
                                                       const ForwardState<T>& state,
                                                       const KeyTile& tile, const Corner& corner,
                                                       int64_t first_row, bool pending) {
  const bool simple = is_simple(task);
  const int64_t row = tile.first + corner.row;
  const Rows<T> keys{task.key + row * task.key_stride, task.key_stride, 1};
  if (task.keys_are_new) {
    // The next tile's rows. Past the last key too: a prefetch of what isn't there does nothing.
    const int64_t ahead = row + kKeyTile;
    prefetch_rows(task.value + ahead * task.value_stride, task.value_stride, R, task.value_size);
    prefetch_rows(task.key + ahead * task.key_stride, task.key_stride, R, task.head_size);
  }
  Block<T, R, C> scores;
  start<T, R, C>(scores, simple ? state.maximum + corner.lane : nullptr);
  const T* const columns = state.query + corner.lane;
  if (kInterleaved<R, C> && pending) {
    const Corner before{corner.row - R, corner.lane};
    Vector<T> sum{};
    scores.add_product_and(keys, columns, kQueryTile<T>, task.head_size,
                           [&](int n) { weigh<T, R, false>(task, state, tile, before, n, sum); });
    drop_weights(task, state, tile, before, R, C * kLanes<T>);
  } else {
    scores.add_product(keys, columns, kQueryTile<T>, task.head_size);
  }
  if (!simple) {
    Block<T, R, C> copy = scores;
    finish_scores<T, R, C>(task, state.maximum, tile, corner, copy);
    scores = copy;
  }
  if (tile.bits != nullptr) hide(tile, corner, scores);
  keep_scores<T, R, C>(task, state, corner, first_row, scores);
}

/// The blocks of R keys that fit between two rows. Where they end.
template <class T, int R, int C>
__attribute__((noinline)) int64_t score_blocks(const ForwardTask<T>& task,
                                               const ForwardState<T>& state, const KeyTile& tile,
                                               const Range& rows, int lane, int64_t first_row) {
  const bool interleaved = kInterleaved<R, C> && task.observation == nullptr;
  Corner corner{rows.first, lane};
  for (; corner.row + R <= rows.last; corner.row += R) {
    score_block<T, R, C>(task, state, tile, corner, first_row,
                         interleaved && corner.row > rows.first);
    if (!interleaved) weigh_block<T, R, C>(task, state, tile, corner);
  }
  if (interleaved && corner.row > rows.first) {
    weigh_block<T, R, C>(task, state, tile, {corner.row - R, lane});
  }
  return corner.row;
}

/// Rows of keys of a tile, and the vectors of queries from `lane` on that they concern.
struct Segment {
  Range rows;
  int lane = 0, vectors = 0;
};

template <class T, int C>
void score_rows(const ForwardTask<T>& task, const ForwardState<T>& state, const KeyTile& tile,
                const Segment& segment) {
  const auto& [rows, lane, vectors] = segment;
  const int64_t rest =
      score_blocks<T, keys_per_block(C), C>(task, state, tile, rows, lane, rows.first);
  if (rest == rows.last) return;
  score_blocks<T, 1, C>(task, state, tile, {rest, rows.last}, lane, rows.first);
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
