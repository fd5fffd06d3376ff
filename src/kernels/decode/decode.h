#pragma once
// Attention of a few queries against many keys, bound by the reading of K and V: each is read once,
// in the order of addresses, a few keys for all the rows. Chunks of keys keep the scores in the
// cache. Lanes are elements of a head here, then keys, then elements of V.

#include "kernels/decode/scores.h"
#include "kernels/prefetch.h"
#include "kernels/products/micro.h"

namespace foveal {
namespace {

/// How many keys ahead K is asked for, into the second cache: nearer was slower.
constexpr int64_t kKeysAhead = 32;

template <class S>
constexpr int64_t kLineNumbers = 64 / static_cast<int64_t>(sizeof(S));

/// Keys whose products are merged while they are in registers.
template <class T>
constexpr int kMergedKeys = kLanes<T> < 4 ? kLanes<T> : 4;

/// Keys whose products are made together.
template <class Math>
constexpr int kTogether =
    sizeof(typename Math::Stored) < sizeof(typename Math::Number) ? kWidenedKeysTogether : 1;

/// The scores of a vector of keys for R rows, row .. row + R - 1: product(k, sums) adds what P keys
/// from k on give, a vector of partial sums for each key and row. Past the last key sums may be
/// anything.
template <class T, int R, int P, class Product>
inline __attribute__((always_inline)) void score_vector(int64_t count, T scale, T* scores,
                                                        const Product& product) {
  constexpr int G = kMergedKeys<T>;
  Vector<T> merged[R][kLanes<T> / G];
#pragma GCC unroll 1
  for (int g = 0; g < kLanes<T> / G; ++g) {
    Vector<T> sums[R][G] = {};
#pragma GCC unroll 4
    for (int n = 0; n < G; n += P) {
      if (g * G + n >= count) continue;
      Vector<T> sum[P][R] = {};
      product(g * G + n, sum);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) sums[r][n + p] = sum[p][r];
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      merge_lanes<T, 1, G>(sums[r]);
      merged[r][g] = sums[r][0];
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    merge_lanes<T, G, kLanes<T> / G>(merged[r]);
    store(scores + r * kDecodeChunk, merged[r][0] * scale);
  }
}

/// The rows of Q, `width` numbers apart.
template <class N>
struct QueryRows {
  const N* data;
  int64_t width;
};

template <class T, class S>
inline QueryRows<T> query_rows(Plain<T, S>, const DecodeTask<T>& task) {
  return {task.query, decode_width(task.head_size)};
}

/// What one vector of elements of P keys gives for R rows; `query` is that of the first row, rows
/// `width` apart.
template <class Math, int P, int R, class V, class T>
inline __attribute__((always_inline)) void add_products(const V (&part)[P],
                                                        const typename Math::Number* query,
                                                        int64_t width, T (&sum)[P][R]) {
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const V numbers = Math::load(query + r * width);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) sum[p][r] = Math::multiply_add(sum[p][r], part[p], numbers);
  }
}

template <class Math, int R>
void score_keys(const DecodeTask<typename Math::Sum>& task, const DecodeChunk& chunk, int row,
                int64_t first, int64_t count) {
  using T = typename Math::Sum;
  using S = typename Math::Stored;
  const S* const key = row_at<S>(chunk.key, first, task.key_stride);
  using Part = decltype(Math::load(key));
  constexpr int P = kTogether<Math>;
  constexpr int64_t kStep = kLanes<T> * Math::kNumbers;
  const auto [queries, width] = query_rows(Math{}, task);
  const int64_t stride = task.key_stride, size = task.head_size, whole = size / kStep * kStep;
  const auto* const query = queries + row * width;
  const auto product = [=](int64_t k, Vector<T>(&sum)[P][R]) __attribute__((always_inline)) {
    const S* from[P];
    Part part[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) from[p] = key + (k + p < count ? k + p : k) * stride;
    for (int64_t d = 0; d < whole; d += kStep) {
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        // A line at a time, past the last key too: a prefetch of what isn't there does nothing.
        if (d % kLineNumbers<S> == 0) __builtin_prefetch(from[p] + kKeysAhead * stride + d, 0, 2);
        part[p] = in_register(Math::load(from[p] + d));
      }
      add_products<Math>(part, query + d, width, sum);
    }
    if (whole == size) return;
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) part[p] = Math::load(from[p] + whole, size - whole);
    add_products<Math>(part, query + whole, width, sum);
  };
  const T scale = task.scale * static_cast<T>(chunk.key_scale);
  score_vector<T, R, P>(count, scale, task.scores + row * kDecodeChunk + first, product);
}

/// The scores of a chunk: a few keys for all rows, so that they are still in the first cache.
template <class Math>
void score_chunk(const DecodeTask<typename Math::Sum>& task, const DecodeChunk& chunk) {
  constexpr int64_t kKeys = kLanes<typename Math::Sum>;
  for (int64_t k = 0; k < chunk.count; k += kKeys) {
    const int64_t left = chunk.count - k, count = left < kKeys ? left : kKeys;
    int row = 0;
    for (; row + 4 <= task.rows; row += 4) score_keys<Math, 4>(task, chunk, row, k, count);
    for (; row < task.rows; ++row) score_keys<Math, 1>(task, chunk, row, k, count);
  }
}

/// A few rows of V.
template <class N>
struct ValueRows {
  const N* data;
  int64_t stride, count;
};

/// All columns for R rows, C vectors at a time: weights times V.
template <class Math, int R, int C>
void add_rows(const DecodeTask<typename Math::Sum>& task,
              const ValueRows<typename Math::Column>& values, const typename Math::Number* weights,
              int row) {
  constexpr int64_t kLane = kLanes<typename Math::Sum>, N = Math::kNumbers;
  const int64_t width = decode_width(task.value_size);
  auto* const output = task.output + row * width;
  const MatrixRows<typename Math::Number> rows{weights + row * N * kDecodeChunk, N * kDecodeChunk,
                                               N};
  int64_t d = 0;
  for (; d + C * kLane <= width; d += C * kLane) {
    add_block<Math, R, C>(rows, values.data + d, values.stride, values.count, output + d, width);
  }
  for (; d < width; d += kLane) {
    add_block<Math, R, 1>(rows, values.data + d, values.stride, values.count, output + d, width);
  }
}

template <class A, class B>
constexpr bool kSame = false;
template <class A>
constexpr bool kSame<A, A> = true;

/// All rows: of V as it is computed with, whole rows at a time, which memory likes best; what is
/// widened, or near in pairs, meets four rows at once.
template <class Math>
void add_all_rows(const DecodeTask<typename Math::Sum>& task,
                  const ValueRows<typename Math::Column>& values,
                  const typename Math::Number* weights) {
  constexpr int C = kQueryVectors >= 4 ? 8 : 4;
  int row = 0;
  if constexpr (!kSame<typename Math::Column, typename Math::Sum>) {
    for (; row + 4 <= task.rows; row += 4) add_rows<Math, 4, C / 2>(task, values, weights, row);
  }
  for (; row + 2 <= task.rows; row += 2) add_rows<Math, 2, C>(task, values, weights, row);
  if (row < task.rows) add_rows<Math, 1, C>(task, values, weights, row);
}

/// Rows of V widened and filled up with zeros to whole vectors.
template <class T, class S>
inline ValueRows<T> filled_rows(const DecodeTask<T>& task, const S* value, int64_t count) {
  const int64_t size = task.value_size, width = decode_width(size);
  for (int64_t k = 0; k < count; ++k) {
    const S* const from = value + k * task.value_stride;
    T* const to = task.values + k * width;
    int64_t d = 0;
    for (; d + kLanes<T> <= size; d += kLanes<T>) store(to + d, load_wide<T>(from + d));
    for (; d < width; d += kLanes<T>) {
      store(to + d, load_wide<T>(from + d, size > d ? size - d : 0));
    }
  }
  return {task.values, width, count};
}

/// What a few keys from k on add to the outputs: V where it lies, if its rows are whole vectors.
template <class T, class S>
inline void add_values(Plain<T, S>, const DecodeTask<T>& task, const S* rows, int64_t k,
                       int64_t count) {
  if (task.value_size == decode_width(task.value_size)) {
    add_all_rows<Plain<T, S>>(task, {rows, task.value_stride, count}, task.scores + k);
  } else {
    add_all_rows<Plain<T>>(task, filled_rows<T, S>(task, rows, count), task.scores + k);
  }
}

/// What a chunk whose keys are all seen adds to the outputs: a few keys for all rows, as many as
/// the room for values takes.
template <class Math>
void add_chunk(const DecodeTask<typename Math::Sum>& task, const DecodeChunk& chunk) {
  constexpr int64_t kGroup = Math::kNumbers * kDecodeGroup;
  const auto* const value = static_cast<const typename Math::Stored*>(chunk.value);
  for (int64_t k = 0; k < chunk.count; k += kGroup) {
    const int64_t left = chunk.count - k;
    if constexpr (kValuesAhead > 0) {
      prefetch_rows(value + (k + kValuesAhead) * task.value_stride, task.value_stride, kGroup,
                    task.value_size);
    }
    add_values(Math{}, task, value + k * task.value_stride, k, left < kGroup ? left : kGroup);
  }
}

/// The same for one row that doesn't see every key: what is hidden is not read.
template <class T, class S>
void add_visible(const DecodeTask<T>& task, const DecodeChunk& chunk, int row,
                 const ChunkBits& visible) {
  T* const output = task.output + row * decode_width(task.value_size);
  const S* const value = static_cast<const S*>(chunk.value);
  for (int64_t k = 0; k < chunk.count; ++k) {
    if (((visible[k / 64] >> (k % 64)) & 1) == 0) continue;
    const T weight = task.scores[row * kDecodeChunk + k];
    const S* const from = value + k * task.value_stride;
    int64_t d = 0;
    for (; d + kLanes<T> <= task.value_size; d += kLanes<T>) {
      store(output + d, load(output + d) + weight * load_wide<T>(from + d));
    }
    if (d < task.value_size) {
      const Vector<T> part = load_wide<T>(from + d, task.value_size - d);
      store(output + d, load(output + d) + weight * part);
    }
  }
}

inline int64_t words_of(const DecodeChunk& chunk) { return (chunk.count + 63) / 64; }

/// A word of bits for the keys that the chunk has.
inline uint64_t whole_word(const DecodeChunk& chunk, int64_t word) {
  const int64_t left = chunk.count - word * 64;
  return left >= 64 ? ~uint64_t{0} : ~(~uint64_t{0} << left);
}

/// The chunk's keys as one row sees them.
inline void fill_bits(const DecodeChunk& chunk, int row, ChunkBits& visible) {
  for (int64_t word = 0; word < words_of(chunk); ++word) {
    const uint64_t whole = whole_word(chunk, word);
    visible[word] = chunk.bits == nullptr ? whole : whole & chunk.bits[row][word];
  }
}

inline bool sees_all(const DecodeChunk& chunk, const ChunkBits& visible) {
  bool all = true;
  for (int64_t word = 0; word < words_of(chunk); ++word) {
    all = all && visible[word] == whole_word(chunk, word);
  }
  return all;
}

/// The chunk's scores become weights. Returns whether all rows see all keys; where they don't, the
/// keys that each row sees are added to its output.
template <class T, class S>
bool weigh_chunk(DecodeTask<T>& task, const DecodeChunk& chunk) {
  ChunkBits visible[kDecodeRows];
  bool all = true;
  for (int row = 0; row < task.rows; ++row) {
    fill_bits(chunk, row, visible[row]);
    weigh_row(task, chunk, row, visible[row]);  // a bias of -inf hides keys too
    all = all && sees_all(chunk, visible[row]);
  }
  for (int row = 0; row < task.rows && !all; ++row) {
    add_visible<T, S>(task, chunk, row, visible[row]);
  }
  return all;
}

/// Weights are multiplied as they are; those of pairs are rounded first.
template <class T, class S>
inline void round_weights(Plain<T, S>, const DecodeTask<T>&, int64_t) {}

/// One chunk of keys for all rows: scores, weights, and their part of the output.
template <class Math>
void decode(DecodeTask<typename Math::Sum>& task, const DecodeChunk& chunk) {
  score_chunk<Math>(task, chunk);
  if (!weigh_chunk<typename Math::Sum, typename Math::Stored>(task, chunk)) return;
  round_weights(Math{}, task, chunk.count);
  add_chunk<Math>(task, chunk);
}

}  // namespace
}  // namespace foveal
