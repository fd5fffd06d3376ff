#pragma once
// Transposed copies: squares of kLanes rows are turned in registers.

#include "kernels/simd.h"

namespace foveal {
namespace {

/// Swaps the off-diagonal blocks of `S` lanes between two rows that lie S apart in the square.
template <int S, class V, int... N>
inline void exchange(V& upper, V& lower, LaneList<N...>) {
  constexpr int count = sizeof...(N);
  const V first = __builtin_shufflevector(upper, lower, ((N & S) != 0 ? N - S + count : N)...);
  lower = __builtin_shufflevector(upper, lower, ((N & S) != 0 ? N + count : N + S)...);
  upper = first;
}

/// Exchanges blocks of S lanes, then S / 2 (Eklundh, "A Fast Computer Method for Matrix
/// Transposing", 1972).
template <class T, int S>
inline __attribute__((always_inline)) void turn(Vector<T> (&rows)[kLanes<T>]) {
  if constexpr (S > 0) {
#pragma GCC unroll 16
    for (int r = 0; r < kLanes<T>; ++r) {
      if ((r & S) == 0) exchange<S>(rows[r], rows[r + S], typename CountedLanes<kLanes<T>>::List{});
    }
    turn<T, S / 2>(rows);
  }
}

/// to[c * to_stride + r] = from[r * from_stride + c] * factor for r < rows and c < columns.
template <class T>
void transpose(const T* from, int64_t from_stride, int64_t rows, int64_t columns, T factor, T* to,
               int64_t to_stride) {
  const int64_t whole_rows = rows - rows % kLanes<T>;
  const int64_t whole_columns = columns - columns % kLanes<T>;
  for (int64_t r = 0; r < whole_rows; r += kLanes<T>) {
    for (int64_t c = 0; c < whole_columns; c += kLanes<T>) {
      Vector<T> square[kLanes<T>];
#pragma GCC unroll 16
      for (int n = 0; n < kLanes<T>; ++n) square[n] = load(from + (r + n) * from_stride + c);
      turn<T, kLanes<T> / 2>(square);
#pragma GCC unroll 16
      for (int n = 0; n < kLanes<T>; ++n) store(to + (c + n) * to_stride + r, square[n] * factor);
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c) {
      to[c * to_stride + r] = from[r * from_stride + c] * factor;
    }
  }
}

/// Zeros in rows of `Width` from `first` on, and from up to a vector before: a loop over single
/// numbers becomes instructions that take longer to begin than to store.
template <class T, int Width>
void clear_from(int64_t first, int64_t rows, T* to) {
  for (int64_t r = 0; r < rows; ++r) {
#pragma GCC unroll 16
    for (int column = 0; column < Width; column += kLanes<T>) {
      if (column + kLanes<T> > first) store(to + r * Width + column, Vector<T>{});
    }
  }
}

}  // namespace
}  // namespace foveal
