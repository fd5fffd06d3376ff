#pragma once
// From products to weights, for one row of queries: lanes are keys.

#include "kernels/decode/task.h"
#include "kernels/halves/storage.h"
#include "kernels/philox.h"
#include "kernels/products/transpose.h"
#include "kernels/softcap.h"
#include "kernels/tile_sizes.h"

namespace foveal {
namespace {

/// Lane n: a[n] + a[n ^ S] where n has no bit S, else b[n] + b[n ^ S].
template <int S, class V, int... N>
inline V merged(V a, V b, LaneList<N...>) {
  constexpr int count = sizeof...(N);
  // Two blends and one shuffle, where a shuffle of both for each sum would take two.
  const V kept = __builtin_shufflevector(a, b, ((N & S) != 0 ? N + count : N)...);
  const V moved = __builtin_shufflevector(a, b, ((N & S) != 0 ? N : N + count)...);
  return kept + __builtin_shufflevector(moved, moved, (N ^ S)...);
}

/// Merges `Count` vectors, the first levels of a tree: then lane n of the first holds partial sums
/// of vector n mod Count. S is where the tree stands: 1 to begin with.
template <class T, int S, int Count>
inline __attribute__((always_inline)) void merge_lanes(Vector<T>* vectors) {
  if constexpr (Count > 1) {
#pragma GCC unroll 16
    for (int n = 0; n < Count / 2; ++n) {
      vectors[n] =
          merged<S>(vectors[2 * n], vectors[2 * n + 1], typename CountedLanes<kLanes<T>>::List{});
    }
    merge_lanes<T, 2 * S, Count / 2>(vectors);
  }
}

/// Which keys of a chunk one row sees, a bit each.
using ChunkBits = uint64_t[kDecodeChunk / 64];

/// Softcap, bias, ALiBi and mask on the scores of keys chunk.first + k onwards, a vector of them,
/// rounded after each. A bias of -inf masks: it takes the key's bit away.
template <class T>
inline Vector<T> finished_scores(const DecodeTask<T>& task, const DecodeChunk& chunk, int row,
                                 int64_t k, ChunkBits& visible) {
  const DecodeRow<T>& state = task.row[row];
  const int64_t j = chunk.first + k, left = chunk.count - k;
  Vector<T> score = load(task.scores + row * kDecodeChunk + k);
  if (task.softcap > 0) score = in_register(Softcap<T>(task.softcap)(score).score);
  if (state.bias != nullptr) {
    Vector<T> bias{};
    for (int n = 0; n < kLanes<T> && n < left; ++n) {
      bias[n] = state.bias[(j + n) * task.bias_key_stride];
      const bool hides = bias[n] == -__builtin_inf();
      visible[k / 64] &= ~(static_cast<uint64_t>(hides) << ((k + n) % 64));
    }
    score = in_register(score + bias);
  }
  if (state.alibi_slope != 0) {
    const Bits<T> away = lane_numbers<T>() + static_cast<typename Simd<T>::Bit>(j - state.place);
    const Vector<T> distance = __builtin_convertvector(away < 0 ? -away : away, Vector<T>);
    score -= distance * state.alibi_slope;
  }
  return lanes_of<T>(visible[k / 64] >> (k % 64)) ? score : broadcast(kMasked<T>);
}

/// Multiplies the row's weights by the values' scale; their sum stays.
template <class T>
void scale_weights(const DecodeTask<T>& task, const DecodeChunk& chunk, int row) {
  T* const weights = task.scores + row * kDecodeChunk;
  for (int64_t k = 0; k < chunk.count; ++k) weights[k] *= static_cast<T>(chunk.value_scale);
}

/// Multiplies the row's weights by the factors of dropout; their sum stays.
template <class T>
void drop_row(const DecodeTask<T>& task, const DecodeChunk& chunk, int row) {
  const DropoutCounter counter = counter_of(*task.dropout, task.row[row].head, task.row[row].kept);
  T* const weights = task.scores + row * kDecodeChunk;
  DropoutRow dropped(counter, task.row[row].query);
  for (int64_t k = 0; k < chunk.count; ++k) {
    weights[k] *= static_cast<T>(dropped.factor(chunk.first + k));
  }
}

/// Turns a row's products into weights against its maximum, raised first where the chunk's is
/// larger: then what the row has so far is rescaled.
template <class T>
void weigh_row(DecodeTask<T>& task, const DecodeChunk& chunk, int row, ChunkBits& visible) {
  DecodeRow<T>& state = task.row[row];
  T* const scores = task.scores + row * kDecodeChunk;
  Vector<T> tops = broadcast(kMasked<T>);
  for (int64_t k = 0; k < chunk.count; k += kLanes<T>) {
    const Vector<T> score = finished_scores(task, chunk, row, k, visible);
    tops = larger(tops, score);
    store(scores + k, score);
  }
  const T top = largest_lane<T>(tops);
  if (top > kMasked<T> && (state.sum == 0 || top > state.maximum)) {
    const T factor = state.sum == 0 ? T(0) : exp<T>(broadcast(state.maximum - top))[0];
    state.maximum = top;
    state.sum *= factor;
    T* const output = task.output + row * decode_width(task.value_size);
    for (int64_t d = 0; d < task.value_size; ++d) output[d] *= factor;
  }
  Vector<T> sum{};
  for (int64_t k = 0; k < chunk.count; k += kLanes<T>) {
    const Vector<T> weight = exp<T>(load(scores + k) - state.maximum);
    sum += weight;
    store(scores + k, weight);
  }
  state.sum += sum_of_lanes<T>(sum);
  if (task.dropout != nullptr) drop_row(task, chunk, row);
  if (chunk.value_scale != 1) scale_weights(task, chunk, row);
}

}  // namespace
}  // namespace foveal
