#pragma once
// What a forward kernel is asked to do: one tile of queries of one head against tiles of keys.

#include <stdint.h>

#include "kernels/forward/observation.h"

namespace foveal {

/// Dropout by counter: Philox4x32-10 with counter (j' div 4, i', head, offset mod 2^32), where i'
/// and j' are first_query + i and first_key + j; or by the caller's mask.
struct DropoutCounter {
  uint64_t key = 0;  ///< dropout_key(seed, offset)
  uint64_t offset = 0;
  uint64_t head = 0;  ///< b * H + h
  int64_t first_query = 0, first_key = 0;
  uint64_t threshold = 0;      ///< a u32 >= p * 2^32 keeps
  double scale = 1;            ///< 1 / (1 - p)
  const bool* kept = nullptr;  ///< the mask of the head's query 0 and key 0, or null: by counter
  int64_t kept_query_stride = 0, kept_key_stride = 0;
  int64_t query_length = 0;  ///< the mask's
};

/// One query of one head: what it has besides its numbers.
template <class T>
struct HeadRow {
  int64_t query = 0;  ///< i
  uint64_t head = 0;  ///< b * H + h
  T alibi_slope = 0;
  const T* bias = nullptr;     ///< of key 0, or null
  const bool* kept = nullptr;  ///< as DropoutCounter::kept, of the row's head
};

/// Rows of a tile that are queries of several heads: their terms hold instead of the task's.
template <class T>
struct MixedRows {
  HeadRow<T> row[64];
  T slope[64] = {}, query[64] = {};  ///< of each row, as kernels load them; 0 past the last
};

/// One tile of queries, of one head unless `mixed` says otherwise. T is float or double. The last
/// axis of every array has stride 1. `query_count` is at most the target's query tile.
template <class T>
struct ForwardTask {
  const T* query = nullptr;  ///< the tile's first query
  const T* key = nullptr;    ///< of key `first_row`: what tiles of keys are cut from
  const T* value = nullptr;
  bool keys_are_new = false;  ///< no near cache holds keys and values: they are asked for ahead
  int64_t query_stride = 0, key_stride = 0, value_stride = 0;  ///< between rows
  int64_t query_count = 0, head_size = 0, value_size = 0;
  int64_t first_query = 0;  ///< i of the tile's first query
  int64_t offset = 0;       ///< L_k - L_q
  T scale = 1;
  /// Scale and maximum come after the product, each rounded: for numbers so large, or so small,
  /// that they would get lost otherwise.
  bool apart = false;
  T softcap = 0;  ///< 0: none
  T alibi_slope = 0;
  const T* bias = nullptr;  ///< of the tile's first query and key 0, or null
  int64_t bias_query_stride = 0, bias_key_stride = 0;
  const DropoutCounter* dropout = nullptr;
  /// Or null. Where a row has a slope, a bias or dropout the task's is not null: of slopes 1 where
  /// one is positive.
  const MixedRows<T>* mixed = nullptr;
  const T* sink = nullptr;  ///< one logit, or null
  T* output = nullptr;      ///< rows of value_size
  int64_t output_stride = 0;
  T* lse = nullptr;                       ///< query_count values, or null
  T* maximum = nullptr;                   ///< of end_state: query_count values
  T* sum = nullptr;                       ///< the same
  Observation<T>* observation = nullptr;  ///< or null: nothing is gathered
  T slack = T(5.5);        ///< how far scores may pass a row's maximum before it is raised
  T* workspace = nullptr;  ///< forward_workspace(head_size, value_size) numbers
  int64_t first_row = 0;   ///< the key that `key` and `value` begin with
};

/// Q, K, V and O as bfloat16's bits, for kernels that multiply those. A task that has them has no
/// other pointers to these arrays; its strides hold.
struct BFloat16Rows {
  const uint16_t* bfloat16_query = nullptr;  ///< the tile's first query
  const uint16_t* bfloat16_key = nullptr;
  const uint16_t* bfloat16_value = nullptr;
  uint16_t* bfloat16_output = nullptr;
};

/// Keys first .. first + count - 1 of the sequence, count at most 64, and where their rows lie: of
/// the type and with the strides of the task, which says nothing of addresses. `bits` is null where
/// all are visible; else bit q of bits[k] is set where the tile's query q sees key first + k; what
/// a bias of -inf masks is not seen.
struct KeyTile {
  int64_t first = 0, count = 0;
  const uint64_t* bits = nullptr;
  const void* key = nullptr;    ///< row `first` of K
  const void* value = nullptr;  ///< row `first` of V
  /// What K and V stand for are these times what is stored, as a quantised block's are. The
  /// backward takes tiles whose scales are 1.
  float key_scale = 1, value_scale = 1;
};

/// Row `row` of those that begin at `first`.
template <class S>
inline const S* row_at(const void* first, int64_t row, int64_t stride) {
  return static_cast<const S*>(first) + row * stride;
}

}  // namespace foveal
