#pragma once
// What one tile of queries carries from one tile of keys to the next.

#include "kernels/forward/task.h"
#include "kernels/tile_sizes.h"

namespace foveal {
namespace {

/// A maximum above this in size is rounded too much where it is multiplied by log2(e): the weights
/// of a row share that factor, which must stay near 1.
template <class T>
constexpr T kLargeMaximum = sizeof(T) == sizeof(float) ? T(0x1p26) : T(0x1p54);

/// The tile's arrays in the task's workspace.
template <class T>
struct ForwardState {
  T* query;    // [strip][D][kStripLanes], scaled where scores are their product alone
  T* weights;  // [strip][kKeyTile][kStripLanes]: scores, then weights
  T* output;   // [strip][D_v][kStripLanes], not yet divided by sum
  T* maximum;  // [kQueryTile]; 0 where no key has been seen
  T* shift;    // [kQueryTile]: maximum * log2(e)
  T* limit;    // [kQueryTile]; what a score may reach before the maximum is raised
  T* sum;      // [kQueryTile]
  T* value;    // [kKeyTile][D_v]: V with its non-finite rows replaced by 0
  T* rows;     // [kKeyTile][kQueryTile]: a segment's bias, then what is given away

  explicit ForwardState(const ForwardTask<T>& task) {
    Room<T> room(task.workspace);
    query = room.take(task.head_size * kQueryTile<T>);
    weights = room.take(kKeyTile * kQueryTile<T>);
    output = room.take(task.value_size * kQueryTile<T>);
    maximum = room.take(kQueryTile<T>);
    shift = room.take(kQueryTile<T>);
    limit = room.take(kQueryTile<T>);
    sum = room.take(kQueryTile<T>);
    value = room.take(kKeyTile * task.value_size);
    rows = room.take(kKeyTile * kQueryTile<T>);
  }

  /// How many numbers the arrays take.
  static int64_t size(int64_t head_size, int64_t value_size) {
    return rounded(head_size * kQueryTile<T>) + 2 * rounded(kKeyTile * kQueryTile<T>) +
           rounded(value_size * kQueryTile<T>) + 4 * rounded(kQueryTile<T>) +
           rounded(kKeyTile * value_size);
  }
};

}  // namespace
}  // namespace foveal
