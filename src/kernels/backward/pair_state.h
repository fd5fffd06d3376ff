#pragma once
// What the bfloat16 backward keeps beside BackwardState.

#include "kernels/backward/state.h"
#include "kernels/halves/pairs.h"

namespace foveal {
namespace {

constexpr int64_t kBackwardTile = kQueryTile<float>;

/// The arrays of pairs, in the workspace after those of BackwardState.
struct PairBackwardState {
  uint32_t* query_columns;            // [ceil(D / 2)][kBackwardTile], along d, not scaled
  uint32_t* output_gradient_columns;  // [ceil(D_v / 2)][kBackwardTile]
  uint32_t* query_rows;               // [kBackwardTile / 2][padded D], along the queries
  uint32_t* output_gradient_rows;     // [kBackwardTile / 2][padded D_v]
  uint16_t* weights;                  // [kKeyTile][kBackwardTile]
  uint16_t* score_gradients;          // [kKeyTile][kBackwardTile]
  uint32_t* score_gradient_pairs;     // [kKeyTile / 2][kBackwardTile], along the keys
  uint32_t* keys;                     // [ceil(key_count / 2)][D], along the keys
  uint64_t* keys_not_finite;          // [tiles of the block], a bit for each row of K
  float* wide_query;                  // [kBackwardTile][D], for tiles that take the float32 way
  float* wide_output_gradient;        // [kBackwardTile][D_v]
  float* wide_key;                    // [kKeyTile][D]
  float* wide_value;                  // [kKeyTile][D_v]

  explicit PairBackwardState(const BackwardTask<float>& task) {
    const int64_t d = task.head_size, dv = task.value_size;
    uint32_t* next = reinterpret_cast<uint32_t*>(
        task.workspace + rounded(BackwardState<float>::size(d, dv, task.key_count)));
    const auto take = [&next](int64_t count) {
      uint32_t* taken = next;
      next += rounded(count);
      return taken;
    };
    query_columns = take((d + 1) / 2 * kBackwardTile);
    output_gradient_columns = take((dv + 1) / 2 * kBackwardTile);
    query_rows = take(kBackwardTile / 2 * padded<float>(d));
    output_gradient_rows = take(kBackwardTile / 2 * padded<float>(dv));
    weights = reinterpret_cast<uint16_t*>(take(kKeyTile * kBackwardTile / 2));
    score_gradients = reinterpret_cast<uint16_t*>(take(kKeyTile * kBackwardTile / 2));
    score_gradient_pairs = take(kKeyTile / 2 * kBackwardTile);
    keys = take((task.key_count + 1) / 2 * d);
    keys_not_finite = reinterpret_cast<uint64_t*>(take(2 * tiles_of(task.key_count)));
    wide_query = reinterpret_cast<float*>(take(kBackwardTile * d));
    wide_output_gradient = reinterpret_cast<float*>(take(kBackwardTile * dv));
    wide_key = reinterpret_cast<float*>(take(kKeyTile * d));
    wide_value = reinterpret_cast<float*>(take(kKeyTile * dv));
  }

  static int64_t tiles_of(int64_t key_count) { return (key_count + kKeyTile - 1) / kKeyTile; }

  static int64_t rounded(int64_t count) { return (count + 15) / 16 * 16; }

  /// How many 32-bit numbers both states take.
  static int64_t size(int64_t head_size, int64_t value_size, int64_t key_count) {
    const int64_t d = head_size, dv = value_size;
    const int64_t columns = ((d + 1) / 2 + (dv + 1) / 2) * kBackwardTile;
    const int64_t rows = kBackwardTile / 2 * (padded<float>(d) + padded<float>(dv));
    return rounded(BackwardState<float>::size(d, dv, key_count)) + columns + rows +
           3 * kKeyTile / 2 * kBackwardTile + rounded((key_count + 1) / 2 * d) +
           rounded(2 * tiles_of(key_count)) + (kBackwardTile + kKeyTile) * (d + dv);
  }
};

}  // namespace
}  // namespace foveal
