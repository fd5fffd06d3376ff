#pragma once
// What one tile of bfloat16 queries carries from one tile of keys to the next.

#include "kernels/forward/pair_task.h"
#include "kernels/halves/pairs.h"

namespace foveal {
namespace {

/// Tiles of keys whose weights wait for their product with V, so that O is loaded and stored less.
constexpr int64_t kWaitingTiles = 2;
constexpr int64_t kTilePairs = kKeyTile / 2;
/// Keys whose scores become weights together.
constexpr int64_t kChunk = 16;

/// The arrays in the task's workspace. A pair is two bfloat16 in 32 bits, the lower one first.
struct PairState {
  uint32_t* query;    // [ceil(D / 2)][kPairTile]: pairs along d, not scaled
  uint32_t* weights;  // [kWaitingTiles * kTilePairs][kPairTile]: pairs along the keys
  uint32_t* value;    // [kWaitingTiles * kTilePairs][D_v]: likewise
  float* scores;      // [kChunk][kPairTile], in units of log2 above the maximum
  float* dropped;     // [kChunk][kPairTile], what dropout multiplies the weights by
  float* bias;        // [kChunk][kPairTile]
  float* output;      // [D_v][kPairTile], not yet divided by sum
  float* maximum;     // [kPairTile], in units of log2: whole numbers, 0 where no key has been seen
  float* limit;       // [kPairTile]; what the sum of a chunk's weights may reach
  float* sum;         // [kPairTile], of the weights as they are multiplied with V
  float* exact_sum;   // [kPairTile], of the weights before they are rounded; 0 without lse

  explicit PairState(const PairTask& task) {
    Room<float> room(task.workspace);
    query = room.take_as<uint32_t>((task.head_size + 1) / 2 * kPairTile);
    weights = room.take_as<uint32_t>(kWaitingTiles * kTilePairs * kPairTile);
    value = room.take_as<uint32_t>(kWaitingTiles * kTilePairs * task.value_size);
    scores = room.take(kChunk * kPairTile);
    dropped = room.take(kChunk * kPairTile);
    bias = room.take(kChunk * kPairTile);
    output = room.take(task.value_size * kPairTile);
    maximum = room.take(kPairTile);
    limit = room.take(kPairTile);
    sum = room.take(kPairTile);
    exact_sum = room.take(kPairTile);
  }

  /// How many 32-bit numbers the arrays take.
  static int64_t size(int64_t head_size, int64_t value_size) {
    return (head_size + 1) / 2 * kPairTile + kWaitingTiles * kTilePairs * kPairTile +
           rounded(kWaitingTiles * kTilePairs * value_size) + value_size * kPairTile +
           (3 * kChunk + 4) * kPairTile;
  }
};

}  // namespace
}  // namespace foveal
