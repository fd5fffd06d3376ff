#pragma once
// What one tile of queries carries from one tile of keys to the next.

#include "kernels/forward/task.h"
#include "kernels/products/micro.h"

namespace foveal {
namespace {

constexpr int kKeyTile = 64;
template <class T>
constexpr int kStripLanes = kQueryVectors * kLanes<T>;
/// Queries of a tile: whole strips, at most 64, so that a word holds a bit for each.
template <class T>
constexpr int kQueryTile = kStripLanes<T> * (kStripLanes<T> * 2 <= 64 ? 2 : 1);

/// The score of a masked cell, and the limit of a row that has no maximum yet: any score passes it.
template <class T>
constexpr T kMasked = T(-__builtin_inf());

/// A maximum above this in size is rounded too much where it is multiplied by log2(e): the weights
/// of a row share that factor, which must stay near 1.
template <class T>
constexpr T kLargeMaximum = sizeof(T) == sizeof(float) ? T(0x1p26) : T(0x1p54);

/// e to the power of minus this is still a normal number, and a sum of such ones too small to
/// count.
template <class T>
constexpr T kFarBelow = sizeof(T) == sizeof(float) ? T(87) : T(708);

/// Where lane `lane` of row `row` lies in an array of a tile: each strip's rows follow one another,
/// kStripLanes apart, so that what a strip meets fills whole lines of the first cache.
template <class T>
inline int64_t place(int64_t rows, int64_t row, int64_t lane) {
  const int64_t strip = lane / kStripLanes<T>;
  return (strip * rows + row) * kStripLanes<T> + lane - strip * kStripLanes<T>;
}

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
    shift = take(kQueryTile<T>);
    limit = take(kQueryTile<T>);
    sum = take(kQueryTile<T>);
    value = take(kKeyTile * task.value_size);
    rows = take(kKeyTile * kQueryTile<T>);
  }

  static int64_t rounded(int64_t count) { return (count + 15) / 16 * 16; }

  /// How many numbers the arrays take.
  static int64_t size(int64_t head_size, int64_t value_size) {
    return rounded(head_size * kQueryTile<T>) + 2 * rounded(kKeyTile * kQueryTile<T>) +
           rounded(value_size * kQueryTile<T>) + 4 * rounded(kQueryTile<T>) +
           rounded(kKeyTile * value_size);
  }
};

}  // namespace
}  // namespace foveal
