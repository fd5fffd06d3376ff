#pragma once
// What one tile of bfloat16 queries carries from one tile of keys to the next.

#include "kernels/forward_state.h"
#include "kernels/half_task.h"

namespace foveal {
namespace {

/// Tiles of keys whose weights wait for their product with V, so that O is loaded and stored less.
constexpr int64_t kWaitingTiles = 2;
constexpr int64_t kTilePairs = kKeyTile / 2;
/// Keys whose scores become weights together.
constexpr int64_t kChunk = 16;
constexpr int64_t kHalfTile = kQueryTile<float>;
static_assert(kHalfTile == kStripLanes<float>, "a tile of queries is one strip");

/// The arrays in the task's workspace. A pair is two bfloat16 in 32 bits, the lower one first.
struct HalfState {
  uint32_t* query;    // [ceil(D / 2)][kHalfTile]: pairs along d, not scaled
  uint32_t* weights;  // [kWaitingTiles * kTilePairs][kHalfTile]: pairs along the keys
  uint32_t* value;    // [kWaitingTiles * kTilePairs][D_v]: likewise
  float* scores;      // [kChunk][kHalfTile], in units of log2 above the maximum
  float* dropped;     // [kChunk][kHalfTile], what dropout multiplies the weights by
  float* bias;        // [kChunk][kHalfTile]
  float* output;      // [D_v][kHalfTile], not yet divided by sum
  float* maximum;     // [kHalfTile], in units of log2: whole numbers, 0 where no key has been seen
  float* limit;       // [kHalfTile]; what the sum of a chunk's weights may reach
  float* sum;         // [kHalfTile], of the weights as they are multiplied with V
  float* exact_sum;   // [kHalfTile], of the weights before they are rounded; 0 without lse

  explicit HalfState(const HalfTask& task) {
    float* next = task.workspace;
    const auto take = [&next](int64_t count) {
      float* taken = next;
      next += rounded(count);
      return taken;
    };
    const auto take_pairs = [&take](int64_t count) {
      return reinterpret_cast<uint32_t*>(take(count));
    };
    query = take_pairs((task.head_size + 1) / 2 * kHalfTile);
    weights = take_pairs(kWaitingTiles * kTilePairs * kHalfTile);
    value = take_pairs(kWaitingTiles * kTilePairs * task.value_size);
    scores = take(kChunk * kHalfTile);
    dropped = take(kChunk * kHalfTile);
    bias = take(kChunk * kHalfTile);
    output = take(task.value_size * kHalfTile);
    maximum = take(kHalfTile);
    limit = take(kHalfTile);
    sum = take(kHalfTile);
    exact_sum = take(kHalfTile);
  }

  static int64_t rounded(int64_t count) { return (count + 15) / 16 * 16; }

  /// How many 32-bit numbers the arrays take.
  static int64_t size(int64_t head_size, int64_t value_size) {
    return (head_size + 1) / 2 * kHalfTile + kWaitingTiles * kTilePairs * kHalfTile +
           rounded(kWaitingTiles * kTilePairs * value_size) + value_size * kHalfTile +
           (3 * kChunk + 4) * kHalfTile;
  }
};

}  // namespace
}  // namespace foveal
