#pragma once
// The one micro-kernel: a block of R rows by C vectors that stays in registers.

#include "kernels/simd.h"

namespace foveal {
namespace {

/// A matrix whose element (row, k) lies at data[row * row_stride + k * step].
template <class T>
struct Rows {
  const T* data;
  int64_t row_stride, step;
};

template <class T, int R, int C>
struct Block {
  Vector<T> at[R][C];

  /// at[r] += sum over k of a(r, k) * b[k], where row k of b begins at b + k * b_stride.
  inline __attribute__((always_inline)) void add_product(const Rows<T>& a, const T* b,
                                                         int64_t b_stride, int64_t count) {
    const T* element = a.data;
#pragma GCC unroll 4
    for (int64_t k = 0; k < count; ++k) {
      Vector<T> column[C];
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) column[c] = in_register(load(b + c * kLanes<T>));
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const Vector<T> value = broadcast(element[r * a.row_stride]);
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) at[r][c] += value * column[c];
      }
      element += a.step;
      b += b_stride;
    }
  }
};

/// Whether no element is a NaN or infinity.
template <class T>
inline bool is_finite_row(const T* row, int64_t size) {
  Vector<T> zeros{};  // x * 0 is NaN where x is not finite
  int64_t d = 0;
  for (; d + kLanes<T> <= size; d += kLanes<T>) zeros += load(row + d) * 0;
  T zero = 0;
  for (; d < size; ++d) zero += row[d] * 0;
  return zero == 0 && !any(zeros != 0);
}

}  // namespace
}  // namespace foveal
