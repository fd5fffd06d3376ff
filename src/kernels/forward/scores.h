#pragma once
// Scores of a few keys for a few vectors of queries: product, softcap, bias, ALiBi, mask, and the
// weights they become.

#include "kernels/dropout_lanes.h"
#include "kernels/forward/maximum.h"
#include "kernels/prefetch.h"

namespace foveal {
namespace {

/// Keys that a block of C vectors takes, so that its sums fill the registers.
constexpr int keys_per_block(int vectors) {
  int keys = 4;
  while (keys < 16 && 2 * keys * vectors <= 4 * kQueryVectors) keys *= 2;
  return keys;
}

/// Products become scores, with all their terms, those that are masked minus infinity.
template <class T, int R, int C>
inline __attribute__((always_inline)) void make_scores(const ForwardTask<T>& task,
                                                       const BiasRows<T>& bias, const KeyTile& tile,
                                                       const Corner& corner,
                                                       Block<T, R, C>& scores) {
  add_terms<T, R, C>(task, corner.lane, tile.first + corner.row, bias, scores,
                     [](int, int, Vector<T>) {});
  if (tile.bits != nullptr) hide(tile, corner, scores);
}

/// Masks scores so far below their row's maximum that the weights would be subnormal: products of
/// these take many times as long, and ALiBi makes many.
template <class T, int R, int C>
inline __attribute__((always_inline)) void mask_far(const ForwardState<T>& state,
                                                    const Corner& corner, Block<T, R, C>& scores) {
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    const int lane = corner.lane + v * kLanes<T>;
    const Vector<T> none = broadcast(kMasked<T>), limit = load(state.limit + lane);
    const Vector<T> least = limit == none ? none : load(state.maximum + lane) - kFarBelow<T>;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      scores.at[r][v] = scores.at[r][v] < least ? none : scores.at[r][v];
    }
  }
}

/// A segment's rows in an array of the state.
template <class T>
inline BiasRows<T> bias_rows(const ForwardState<T>& state, int64_t row, int64_t lane) {
  return {state.rows + place<T>(kKeyTile, row, lane), kStripLanes<T>};
}

/// Scores and terms out of line: they need the products in memory.
template <class T, int R, int C>
__attribute__((noinline)) void finish_scores(const ForwardTask<T>& task,
                                             const ForwardState<T>& state, const KeyTile& tile,
                                             const Corner& corner, Block<T, R, C>& block) {
  if (task.bias_query_stride != 0 && task.bias_key_stride == 1) {
    // The next tile's, as many of its queries as there are keys here. Past the last one too: a
    // prefetch of what isn't there does nothing.
    const T* const ahead = task.bias + corner.row * task.bias_query_stride + tile.first + kKeyTile;
    prefetch_rows(ahead, task.bias_query_stride, R, kKeyTile);
  }
  Block<T, R, C> scores = block;
  make_scores(task, bias_rows(state, corner.row, corner.lane), tile, corner, scores);
  if (task.observation == nullptr) mask_far<T, R, C>(state, corner, scores);
  block = scores;
}

/// drop_weights of rows that each have their own draws.
template <class T>
void drop_mixed_weights(const ForwardTask<T>& task, const ForwardState<T>& state,
                        const KeyTile& tile, const Segment& segment) {
  const int64_t last = segment.lane + segment.vectors * kLanes<T>;
  for (int64_t q = segment.lane; q < last && q < task.query_count; ++q) {
    const HeadRow<T>& row = task.mixed->row[q];
    const DropoutCounter counter = counter_of(*task.dropout, row.head, row.kept);
    DropoutRow dropped(counter, row.query);
    for (int64_t k = segment.rows.first; k < segment.rows.last; ++k) {
      state.weights[place<T>(kKeyTile, k, q)] *= static_cast<T>(dropped.factor(tile.first + k));
    }
  }
}

/// Multiplies a segment's weights by the factors of dropout. The row sums stay: weights are dropped
/// after softmax.
template <class T>
__attribute__((noinline)) void drop_weights(const ForwardTask<T>& task,
                                            const ForwardState<T>& state, const KeyTile& tile,
                                            const Segment& segment) {
  if (task.mixed != nullptr) return drop_mixed_weights(task, state, tile, segment);
  const auto& [rows, lane, vectors] = segment;
  T* const weights = state.weights + place<T>(kKeyTile, rows.first, lane);
  for_factors<T>(
      *task.dropout,
      {task.first_query + lane, vectors, tile.first + rows.first, rows.last - rows.first},
      [&](int64_t row, int at, Vector<T> factors) __attribute__((always_inline)) {
        T* const place = weights + row * kStripLanes<T> + at;
        store(place, load(place) * factors);
      });
}

/// Keeps a block's scores where their weights will be; the maximum is raised where they pass its
/// limit.
template <class T, int R, int C>
inline __attribute__((always_inline)) void keep_scores(const ForwardTask<T>& task,
                                                       const ForwardState<T>& state,
                                                       const KeyTile& tile, const Corner& corner,
                                                       const Before& before,
                                                       const Block<T, R, C>& scores) {
  Bits<T> passed{};
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    passed |= top_of(scores, v) > load(state.limit + corner.lane + v * kLanes<T>);
  }
  if (__builtin_expect(any(passed), 0)) {
    const Block<T, R, C> copy = scores;  // so that `scores` itself needs no memory
    raise_maximum<T, R, C>(task, state, tile, corner, before, copy);
  }
  scores.store_to(state.weights + place<T>(kKeyTile, corner.row, corner.lane), kStripLanes<T>);
}

/// Vector n of a block's kept scores becomes weights, which join the row sums: `sum` holds those of
/// one vector of queries while its R keys follow one another.
template <class T, int R>
inline __attribute__((always_inline)) void weigh(const ForwardState<T>& state, const Corner& corner,
                                                 int n, Vector<T>& sum) {
  const int lane = corner.lane + n / R * kLanes<T>;
  T* const at = state.weights + place<T>(kKeyTile, corner.row + n % R, lane);
  if (n % R == 0) sum = load(state.sum + lane);
  const Vector<T> weight =
      exp_above<T>(load(at), load(state.maximum + lane), load(state.shift + lane));
  sum += weight;
  store(at, weight);
  if (n % R == R - 1) store(state.sum + lane, sum);
}

/// Asks for `count` rows of the next tile, those from `row` on, stored as S. Past the last key too:
/// a prefetch of what isn't there does nothing.
template <class S, class T>
inline void prefetch_next_tile(const ForwardTask<T>& task, const KeyTile& tile, int64_t row,
                               int64_t count) {
  const int64_t ahead = row + kKeyTile;
  prefetch_rows(row_at<S>(tile.value, ahead, task.value_stride), task.value_stride, count,
                task.value_size);
  prefetch_rows(row_at<S>(tile.key, ahead, task.key_stride), task.key_stride, count,
                task.head_size);
}

/// What becomes of a run of scores: nothing but weights; weights from differences that were
/// rounded; the same, observed.
enum class Weighing { plain, apart, observed };

/// All kept scores of a segment become weights, which join the row sums; then dropout. Out of line,
/// to keep the code of the products small.
template <class T, int C, Weighing weighing>
__attribute__((noinline)) void weigh_rows(const ForwardTask<T>& task, const ForwardState<T>& state,
                                          const KeyTile& tile, const Segment& segment) {
  const auto& [rows, lane, vectors] = segment;
  Vector<T> sum[C], maximum[C], shift[C];
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
    sum[v] = load(state.sum + lane + v * kLanes<T>);
    maximum[v] = load(state.maximum + lane + v * kLanes<T>);
    shift[v] = load(state.shift + lane + v * kLanes<T>);
  }
  T* at = state.weights + place<T>(kKeyTile, rows.first, lane);
#pragma GCC unroll 4
  for (int64_t row = rows.first; row < rows.last; ++row, at += kStripLanes<T>) {
#pragma GCC unroll 16
    for (int v = 0; v < C; ++v) {
      const Vector<T> score = load(at + v * kLanes<T>);
      Vector<T> weight;
      if constexpr (weighing == Weighing::plain) {
        weight = exp_above<T>(score, maximum[v], shift[v]);
      } else {
        const Vector<T> above = score - maximum[v];
        weight = exp<T>(above);
        if constexpr (weighing == Weighing::observed) {
          observe(task, score, above, weight, lane + v * kLanes<T>, tile.first + row);
        }
      }
      sum[v] += weight;
      store(at + v * kLanes<T>, weight);
    }
  }
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) store(state.sum + lane + v * kLanes<T>, sum[v]);
}

/// Whether blocks become weights between the steps of the next block's product: a run of
/// exponentials alone would leave the multipliers waiting. Narrow blocks are few.
template <int R, int C>
constexpr bool kInterleaved = kWeighsBetween && R > 1 && C == kQueryVectors;

/// One block, from the product to scores that are kept; the block before it becomes weights
/// meanwhile, if it waits and may.
template <class T, int R, int C>
inline __attribute__((always_inline)) void score_block(const ForwardTask<T>& task,
                                                       const ForwardState<T>& state,
                                                       const KeyTile& tile, const Corner& corner,
                                                       Before& before) {
  const MatrixRows<T> keys{row_at<T>(tile.key, corner.row, task.key_stride), task.key_stride, 1};
  if (task.keys_are_new && corner.lane < kStripLanes<T>) {
    prefetch_next_tile<T>(task, tile, corner.row, R);
  }
  Block<T, R, C> scores;
  scores.start(nullptr);
  const T* const columns = state.query + place<T>(task.head_size, 0, corner.lane);
  if (kInterleaved<R, C> && before.scores < corner.row && is_weighed_plainly(task)) {
    const Corner last{corner.row - R, corner.lane};
    Vector<T> sum{};
    add_product_and<Plain<T>>(scores, keys, columns, kStripLanes<T>, task.head_size,
                              [&](int n) { weigh<T, R>(state, last, n, sum); });
    before.scores = corner.row;
  } else {
    add_product<Plain<T>>(scores, keys, columns, kStripLanes<T>, task.head_size);
  }
  if (tile.key_scale != 1) scores.scale(static_cast<T>(tile.key_scale));
  if (!is_simple(task)) {
    Block<T, R, C> copy = scores;  // so that `scores` itself needs no memory
    finish_scores<T, R, C>(task, state, tile, corner, copy);
    scores = copy;
  } else if (tile.bits != nullptr) {
    hide(tile, corner, scores);
  }
  keep_scores<T, R, C>(task, state, tile, corner, before, scores);
}

/// The blocks of R keys that fit between two rows. Where they end.
template <class T, int R, int C>
__attribute__((noinline)) int64_t score_blocks(const ForwardTask<T>& task,
                                               const ForwardState<T>& state, const KeyTile& tile,
                                               const Range& rows, int lane, Before& before) {
  Corner corner{rows.first, lane};
  for (; corner.row + R <= rows.last; corner.row += R) {
    score_block<T, R, C>(task, state, tile, corner, before);
  }
  return corner.row;
}

template <class T, int C>
void score_rows(const ForwardTask<T>& task, const ForwardState<T>& state, const KeyTile& tile,
                const Segment& segment) {
  const auto& [rows, lane, vectors] = segment;
  if (task.bias != nullptr) {
    lay_out_bias(task, lane, C * kLanes<T>, tile.first + rows.first, rows.last - rows.first,
                 bias_rows(state, rows.first, lane));
  }
  if (task.alibi_slope > 0) lift_maximum(task, state, tile, segment);
  Before before{rows.first, rows.first};
  const int64_t rest = score_blocks<T, keys_per_block(C), C>(task, state, tile, rows, lane, before);
  if (rest < rows.last) score_blocks<T, 1, C>(task, state, tile, {rest, rows.last}, lane, before);
  const Segment waiting{{before.scores, rows.last}, lane, vectors};
  if (task.observation != nullptr) {
    weigh_rows<T, C, Weighing::observed>(task, state, tile, waiting);
  } else if (task.apart) {
    weigh_rows<T, C, Weighing::apart>(task, state, tile, waiting);
  } else {
    weigh_rows<T, C, Weighing::plain>(task, state, tile, waiting);
  }
  if (task.dropout != nullptr) drop_weights(task, state, tile, segment);
}

/// The rows from `row` on that concern the same vectors of the strip, sixteen at a time. Vectors
/// past the last query are left out.
template <class T>
inline Segment next_segment(const KeyTile& tile, int strip, int64_t row, int64_t query_count) {
  constexpr int64_t kStep = 16;
  const int lane = strip * kStripLanes<T>;
  if (tile.bits == nullptr) {
    const int64_t vectors = (query_count - lane + kLanes<T> - 1) / kLanes<T>;
    return {{row, tile.count},
            lane,
            vectors < kQueryVectors ? static_cast<int>(vectors) : kQueryVectors};
  }
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
inline void for_each_segment(const KeyTile& tile, int strip, int64_t query_count,
                             const Visit& visit) {
  for (int64_t row = 0; row < tile.count;) {
    const Segment segment = next_segment<T>(tile, strip, row, query_count);
    row = segment.rows.last;
    with_vectors(segment.vectors, [&]<int C>() { visit.template operator()<C>(segment); });
  }
}

}  // namespace
}  // namespace foveal
