#pragma once
// What one block of keys carries from one tile of queries to the next, and a tile's own arrays.

#include "kernels/backward/task.h"
#include "kernels/tile_sizes.h"

namespace foveal {
namespace {

/// Columns of a row that holds whole vectors.
template <class T>
constexpr int64_t padded(int64_t count) {
  return (count + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

/// The arrays in the task's workspace. Columns have a lane a query, rows lie as Q and dO do.
template <class T>
struct BackwardState {
  T* query_columns;            // [D][kQueryTile], scaled where scores are their product alone
  T* output_gradient_columns;  // [D_v][kQueryTile]
  T* query_rows;               // [kQueryTile][padded D], rows that are not finite as zeros
  T* output_gradient_rows;     // [kQueryTile][padded D_v], likewise
  T* lse;                      // [kQueryTile]; infinite where P is 0 throughout
  T* scaled_lse;               // [kQueryTile], times log2(e)
  T* delta;                    // [kQueryTile], the row sums of dO times O
  T* weights;                  // [kKeyTile][kQueryTile], after dropout
  T* score_gradients;          // [kKeyTile][kQueryTile], by the product of Q and K, without scale
  T* slopes;                   // [kKeyTile][kQueryTile], the softcap's derivative
  T* query_gradient;           // [D][kQueryTile]
  T* key;                      // [kKeyTile][D], rows that are not finite as zeros
  T* key_gradient;             // [key_count][padded D]
  T* value_gradient;           // [key_count][padded D_v]

  explicit BackwardState(const BackwardTask<T>& task) {
    Room<T> room(task.workspace);
    query_columns = room.take(task.head_size * kQueryTile<T>);
    output_gradient_columns = room.take(task.value_size * kQueryTile<T>);
    query_rows = room.take(kQueryTile<T> * padded<T>(task.head_size));
    output_gradient_rows = room.take(kQueryTile<T> * padded<T>(task.value_size));
    lse = room.take(kQueryTile<T>);
    scaled_lse = room.take(kQueryTile<T>);
    delta = room.take(kQueryTile<T>);
    weights = room.take(kKeyTile * kQueryTile<T>);
    score_gradients = room.take(kKeyTile * kQueryTile<T>);
    slopes = room.take(kKeyTile * kQueryTile<T>);
    query_gradient = room.take(task.head_size * kQueryTile<T>);
    key = room.take(kKeyTile * task.head_size);
    key_gradient = room.take(task.key_count * padded<T>(task.head_size));
    value_gradient = room.take(task.key_count * padded<T>(task.value_size));
  }

  /// How many numbers the arrays take.
  static int64_t size(int64_t head_size, int64_t value_size, int64_t key_count) {
    const int64_t tile = kQueryTile<T>, d = padded<T>(head_size), dv = padded<T>(value_size);
    const int64_t queries = tile * (2 * head_size + value_size + d + dv + 3);
    const int64_t cells = 3 * kKeyTile * tile + kKeyTile * head_size;
    return queries + cells + key_count * (d + dv) + 14 * 16;  // each array is rounded up
  }
};

}  // namespace
}  // namespace foveal
