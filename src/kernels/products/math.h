#pragma once
// What a product multiplies: how its numbers lie in memory, how they get into registers, and the
// multiply-add. All loops over products are templates over one of these. Pairs of bfloat16 are
// another (halves/pairs.h).

#include "kernels/halves/storage.h"

namespace foveal {
namespace {

/// Numbers as they are: sums, and what rows hold, are T. Columns may be stored narrower, as S, and
/// are widened as they are loaded.
template <class T, class S = T>
struct Plain {
  using Sum = T;                      ///< a lane of the sums
  using Number = T;                   ///< what a row consists of
  using Column = S;                   ///< a lane of the columns, in memory
  using Stored = S;                   ///< K and V, in memory
  static constexpr int kNumbers = 1;  ///< of a row, that one multiply-add takes a lane
  /// Loops over products. Zen 4, avx2: a forward with terms takes 3 % less time.
  static constexpr bool kUnrolls = true;

  template <class N>
  static inline __attribute__((always_inline)) Vector<T> load(const N* from) {
    return load_wide<T>(from);
  }
  /// The first `count` numbers, less than a vector; the others are 0.
  template <class N>
  static inline Vector<T> load(const N* from, int64_t count) {
    return load_wide<T>(from, count);
  }
  /// One element of a row, in every lane.
  static inline __attribute__((always_inline)) Vector<T> spread(const T* from) {
    return broadcast(*from);
  }
  static inline __attribute__((always_inline)) Vector<T> multiply_add(Vector<T> sum, Vector<T> a,
                                                                      Vector<T> b) {
    return sum + a * b;
  }
};

}  // namespace
}  // namespace foveal
