#pragma once
// What one tile of queries carries from one tile of keys to the next.

#include "kernels/forward_task.h"
#include "kernels/micro.h"
#include "kernels/score_terms.h"

namespace foveal {
namespace {

constexpr int kKeyTile = 64;
template <class T>
constexpr int kStripLanes = kQueryVectors * kLanes<T>;
/// Queries of a tile: whole strips, at most 64, so that a word holds a bit for each.
template <class T>
constexpr int kQueryTile = kStripLanes<T> * (kStripLanes<T> * 2 <= 64 ? 2 : 1);

// A masked score in the kernel is a large negative number: -inf minus -inf would be NaN.
template <class T>
constexpr T kMasked = T(-1e30);
// The limit of a row that has no maximum yet: any score but a masked one passes it.
template <class T>
constexpr T kUnset = T(-1e29);

/// The tile's arrays in the task's workspace. Scores are in units of log2.
template <class T>
struct ForwardState {
  T* query;    // [D][kQueryTile], scaled
  T* weights;  // [kKeyTile][kQueryTile]
  T* output;   // [D_v][kQueryTile], not yet divided by sum
  T* maximum;  // [kQueryTile]; 0 where no key has been seen
  T* limit;    // [kQueryTile]; what a score minus maximum may reach before the maximum is raised
  T* sum;      // [kQueryTile]
  T* value;    // [kKeyTile][D_v]: V with its non-finite rows replaced by 0

  explicit ForwardState(const ForwardTask<T>& task) {
    T* next = task.workspace;
    const auto take = [&next](int64_t count) {
      T* taken = next;
      next += rounded(count);
      return taken;
    };
    query = take(task.head_size * kQueryTile<T>);
    weights = take(kKeyTile * kQueryTile<T>);
    output = take(task.value_size * kQueryTile<T>);
    maximum = take(kQueryTile<T>);
    limit = take(kQueryTile<T>);
    sum = take(kQueryTile<T>);
    value = take(kKeyTile * task.value_size);
  }

  static int64_t rounded(int64_t count) { return (count + 15) / 16 * 16; }

  /// How many numbers the arrays take.
  static int64_t size(int64_t head_size, int64_t value_size) {
    return rounded(head_size * kQueryTile<T>) + rounded(kKeyTile * kQueryTile<T>) +
           rounded(value_size * kQueryTile<T>) + 3 * rounded(kQueryTile<T>) +
           rounded(kKeyTile * value_size);
  }
};

}  // namespace
}  // namespace foveal
