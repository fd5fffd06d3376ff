#pragma once
// How large a tile is, how its arrays lie, and what its masked cells hold.

#include "kernels/simd.h"

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

/// Numbers of an array in a workspace: whole lines of the cache.
constexpr int64_t rounded(int64_t count) { return (count + 15) / 16 * 16; }

/// Hands out a workspace array by array.
template <class T>
class Room {
 public:
  explicit Room(T* workspace) : next_(workspace) {}

  T* take(int64_t count) {
    T* const taken = next_;
    next_ += rounded(count);
    return taken;
  }
  /// `count` numbers of another type of the same size, or as many as they fill.
  template <class N>
  N* take_as(int64_t count) {
    return reinterpret_cast<N*>(take(count));
  }

 private:
  T* next_;
};

}  // namespace
}  // namespace foveal
