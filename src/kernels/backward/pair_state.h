#pragma once
// What the bfloat16 backward keeps beside BackwardState.

#include "kernels/backward/state.h"
#include "kernels/halves/pairs.h"

namespace foveal {
namespace {

/// The arrays of pairs, in the workspace after those of BackwardState.
struct PairBackwardState {
  uint32_t* query_columns;            // [ceil(D / 2)][kPairTile], along d, not scaled
  uint32_t* output_gradient_columns;  // [ceil(D_v / 2)][kPairTile]
  uint32_t* query_rows;               // [kPairTile / 2][padded D], along the queries
  uint32_t* output_gradient_rows;     // [kPairTile / 2][padded D_v]
  uint16_t* weights;                  // [kKeyTile][kPairTile]
  uint16_t* score_gradients;          // [kKeyTile][kPairTile]
  uint32_t* score_gradient_pairs;     // [kKeyTile / 2][kPairTile], along the keys
  uint32_t* keys;                     // [ceil(key_count / 2)][D], along the keys
  uint64_t* keys_not_finite;          // [tiles of the block], a bit for each row of K
  float* wide_query;                  // [kPairTile][D], for tiles that take the float32 way
  float* wide_output_gradient;        // [kPairTile][D_v]
  float* wide_key;                    // [kKeyTile][D]
  float* wide_value;                  // [kKeyTile][D_v]

  explicit PairBackwardState(const BackwardTask<float>& task) {
    const int64_t d = task.head_size, dv = task.value_size;
    Room<float> room(task.workspace + rounded(BackwardState<float>::size(d, dv, task.key_count)));
    query_columns = room.take_as<uint32_t>((d + 1) / 2 * kPairTile);
    output_gradient_columns = room.take_as<uint32_t>((dv + 1) / 2 * kPairTile);
    query_rows = room.take_as<uint32_t>(kPairTile / 2 * padded<float>(d));
    output_gradient_rows = room.take_as<uint32_t>(kPairTile / 2 * padded<float>(dv));
    weights = room.take_as<uint16_t>(kKeyTile * kPairTile / 2);
    score_gradients = room.take_as<uint16_t>(kKeyTile * kPairTile / 2);
    score_gradient_pairs = room.take_as<uint32_t>(kKeyTile / 2 * kPairTile);
    keys = room.take_as<uint32_t>((task.key_count + 1) / 2 * d);
    keys_not_finite = room.take_as<uint64_t>(2 * tiles_of(task.key_count));
    wide_query = room.take_as<float>(kPairTile * d);
    wide_output_gradient = room.take_as<float>(kPairTile * dv);
    wide_key = room.take_as<float>(kKeyTile * d);
    wide_value = room.take_as<float>(kKeyTile * dv);
  }

  static int64_t tiles_of(int64_t key_count) { return (key_count + kKeyTile - 1) / kKeyTile; }

  /// How many 32-bit numbers both states take.
  static int64_t size(int64_t head_size, int64_t value_size, int64_t key_count) {
    const int64_t d = head_size, dv = value_size;
    const int64_t columns = ((d + 1) / 2 + (dv + 1) / 2) * kPairTile;
    const int64_t rows = kPairTile / 2 * (padded<float>(d) + padded<float>(dv));
    return rounded(BackwardState<float>::size(d, dv, key_count)) + columns + rows +
           3 * kKeyTile / 2 * kPairTile + rounded((key_count + 1) / 2 * d) +
           rounded(2 * tiles_of(key_count)) + (kPairTile + kKeyTile) * (d + dv);
  }
};

}  // namespace
}  // namespace foveal
