#pragma once
// What a decode kernel is asked to do: a few rows of queries against a chunk of keys.

#include "kernels/forward/task.h"

namespace foveal {

/// Rows of one task at most: the queries of all heads that share a KV head.
constexpr int kDecodeRows = 16;
/// Keys of one chunk at most.
constexpr int64_t kDecodeChunk = 1024;
/// Keys of a chunk whose values meet their weights together.
constexpr int64_t kDecodeGroup = 8;

/// A row, and what it has seen so far.
template <class T>
struct DecodeRow : HeadRow<T> {
  int64_t place = 0;       ///< i' = i + L_k - L_q
  T maximum = 0, sum = 0;  ///< sum = 0: no key seen yet
};

/// T is float or double; keys and values may be stored narrower. Rows of `query` and `output` are
/// decode_width(size) numbers apart, the query's filled up with zeros.
template <class T>
struct DecodeTask {
  const T* query = nullptr;
  /// Of bfloat16 alone, for kernels that multiply it: the query's bits, rows of pair_width(D)
  /// filled up with zeros.
  const uint16_t* bfloat16_query = nullptr;
  T scale = 1;
  int64_t key_stride = 0, value_stride = 0;  ///< between rows, in elements
  int64_t head_size = 0, value_size = 0;
  int64_t rows = 0;  ///< 1 .. kDecodeRows
  T softcap = 0;     ///< 0: none
  int64_t bias_key_stride = 0;
  const DropoutCounter* dropout = nullptr;
  DecodeRow<T> row[kDecodeRows];
  T* scores = nullptr;  ///< kDecodeRows * kDecodeChunk numbers
  T* values = nullptr;  ///< room for kDecodeGroup rows as wide as an output's
  T* output = nullptr;  ///< sum of exp(score - maximum) V, to begin with 0
};

/// Keys first .. first + count - 1 of the sequence, count at most kDecodeChunk, and where their
/// rows lie, the last axis with stride 1. `bits` is null where all are visible; else bit t of
/// bits[row][w] is set where the row sees key first + 64 w + t.
struct DecodeChunk {
  int64_t first = 0, count = 0;
  const uint64_t (*bits)[kDecodeChunk / 64] = nullptr;
  const void* key = nullptr;             ///< row `first` of K
  const void* value = nullptr;           ///< row `first` of V
  float key_scale = 1, value_scale = 1;  ///< as KeyTile's
};

/// `size` numbers as whole vectors of any target.
constexpr int64_t decode_width(int64_t size) { return (size + 15) / 16 * 16; }

/// The same for numbers of 16 bits.
constexpr int64_t pair_width(int64_t size) { return (size + 31) / 32 * 32; }

}  // namespace foveal
