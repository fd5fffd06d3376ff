#pragma once
// Attention of a few queries against many keys, bound by the reading of K and V: each is read once,
// in the order of addresses, for all the rows. Chunks of keys keep the scores and the second look
// at V in the cache. Lanes are elements of a head here, then keys, then elements of V.

#include "kernels/decode_scores.h"

namespace foveal {
namespace {

/// Rows row .. row + R - 1 of the scores of 16-odd keys: a vector of keys at a time, whose products
/// are summed over lanes together.
template <class T, class S, int R>
inline __attribute__((always_inline)) void score_keys(const DecodeTask<T>& task, const S* key,
                                                      int row, int64_t first, int64_t count) {
  const int64_t width = decode_width(task.head_size);
  const int64_t whole = task.head_size / kLanes<T> * kLanes<T>;
  const T* const query = task.query + row * width;
  Vector<T> products[R][kLanes<T>] = {};
  for (int64_t k = 0; k < count; ++k) {
    Vector<T> sum[R] = {};
    const S* const from = key + (first + k) * task.key_stride;
    for (int64_t d = 0; d < whole; d += kLanes<T>) {
      const Vector<T> part = in_register(load_wide<T>(from + d));
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) sum[r] += part * load(query + r * width + d);
    }
    if (whole < task.head_size) {
      const Vector<T> part = load_wide<T>(from + whole, task.head_size - whole);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) sum[r] += part * load(query + r * width + whole);
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) products[r][k] = sum[r];
  }
  for (int r = 0; r < R; ++r) {
    store(task.scores + (row + r) * kDecodeChunk + first, sums_of_lanes<T>(products[r]));
  }
}

/// Rows row .. row + R - 1 of the scores of a chunk.
template <class T, class S, int R>
void score_chunk(const DecodeTask<T>& task, const DecodeChunk& chunk, int row) {
  const S* const key = static_cast<const S*>(task.key) + chunk.first * task.key_stride;
  for (int64_t k = 0; k < chunk.count; k += kLanes<T>) {
    const int64_t left = chunk.count - k;
    score_keys<T, S, R>(task, key, row, k, left < kLanes<T> ? left : kLanes<T>);
  }
}

/// C vectors of the outputs of rows row .. row + R - 1, from element d on.
template <class T, class S, int R, int C>
inline __attribute__((always_inline)) void add_chunk_columns(const DecodeTask<T>& task,
                                                             const DecodeChunk& chunk, int row,
                                                             int64_t d) {
  const int64_t width = decode_width(task.value_size);
  const S* value = static_cast<const S*>(task.value) + chunk.first * task.value_stride + d;
  T* const output = task.output + row * width + d;
  const T* const weights = task.scores + row * kDecodeChunk;
  const int64_t left = task.value_size - d;
  Vector<T> sum[R][C];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) sum[r][c] = load(output + r * width + c * kLanes<T>);
  }
  for (int64_t k = 0; k < chunk.count; ++k, value += task.value_stride) {
    Vector<T> part[C];
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) {
      part[c] = in_register(C > 1 || left >= kLanes<T> ? load_wide<T>(value + c * kLanes<T>)
                                                       : load_wide<T>(value, left));
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vector<T> weight = broadcast(weights[r * kDecodeChunk + k]);
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) sum[r][c] += weight * part[c];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) store(output + r * width + c * kLanes<T>, sum[r][c]);
  }
}

template <class T, class S, int R>
void add_chunk(const DecodeTask<T>& task, const DecodeChunk& chunk, int row) {
  constexpr int kWide = 8;
  int64_t d = 0;
  for (; d + kWide * kLanes<T> <= task.value_size; d += kWide * kLanes<T>) {
    add_chunk_columns<T, S, R, kWide>(task, chunk, row, d);
  }
  for (; d < task.value_size; d += kLanes<T>) {
    add_chunk_columns<T, S, R, 1>(task, chunk, row, d);
  }
}

/// The same for one row that doesn't see every key: what is hidden is not read.
template <class T, class S>
void add_visible(const DecodeTask<T>& task, const DecodeChunk& chunk, int row,
                 const ChunkBits& visible) {
  T* const output = task.output + row * decode_width(task.value_size);
  const S* const value = static_cast<const S*>(task.value) + chunk.first * task.value_stride;
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

/// The chunk's keys as one row sees them. Returns whether it sees all.
inline bool fill_bits(const DecodeChunk& chunk, int row, ChunkBits& visible) {
  bool all = true;
  for (int64_t word = 0; word < kDecodeChunk / 64; ++word) {
    const int64_t left = chunk.count - word * 64;
    const uint64_t whole = left >= 64 ? ~uint64_t{0} : left <= 0 ? 0 : ~(~uint64_t{0} << left);
    visible[word] = chunk.bits == nullptr ? whole : whole & chunk.bits[row][word];
    all = all && visible[word] == whole;
  }
  return all;
}

/// One chunk of keys for all rows: scores, weights, and their part of the output. T computes, S is
/// how keys and values are stored.
template <class T, class S>
void decode(DecodeTask<T>& task, const DecodeChunk& chunk) {
  int row = 0;
  for (; row + 4 <= task.rows; row += 4) score_chunk<T, S, 4>(task, chunk, row);
  for (; row < task.rows; ++row) score_chunk<T, S, 1>(task, chunk, row);
  ChunkBits visible[kDecodeRows];
  bool all = true;
  for (row = 0; row < task.rows; ++row) {
    all = fill_bits(chunk, row, visible[row]) && all && task.row[row].bias == nullptr;
    weigh_row(task, chunk, row, visible[row]);
  }
  if (!all) {
    for (row = 0; row < task.rows; ++row) add_visible<T, S>(task, chunk, row, visible[row]);
    return;
  }
  for (row = 0; row + 2 <= task.rows; row += 2) add_chunk<T, S, 2>(task, chunk, row);
  if (row < task.rows) add_chunk<T, S, 1>(task, chunk, row);
}

}  // namespace
}  // namespace foveal
