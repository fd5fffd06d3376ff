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

  /// The same, and work(n) for n < R * C between its steps: a run of exponentials alone would leave
  /// the multipliers waiting. The steps of `a` are 1 apart.
  template <class Work>
  inline __attribute__((always_inline)) void add_product_and(const Rows<T>& a, const T* b,
                                                             int64_t b_stride, int64_t count,
                                                             const Work& work) {
    constexpr int64_t kShare = 2;
    int64_t done = 0;
    if (count >= kShare * R * C) {
#pragma GCC unroll 16
      for (int n = 0; n < R * C; ++n) {
        const int64_t k = n * kShare;
        add_product({a.data + k, a.row_stride, 1}, b + k * b_stride, b_stride, kShare);
        work(n);
      }
      done = kShare * R * C;
    } else {
#pragma GCC unroll 1
      for (int n = 0; n < R * C; ++n) work(n);
    }
    add_product({a.data + done, a.row_stride, 1}, b + done * b_stride, b_stride, count - done);
  }
};

/// Elements times 0, added up: NaN where one is not finite.
template <class T>
struct Zeros {
  Vector<T> vector{};
  T rest = 0;

  void add(const T* row, int64_t size) {
    int64_t d = 0;
    for (; d + kLanes<T> <= size; d += kLanes<T>) vector += load(row + d) * 0;
    for (; d < size; ++d) rest += row[d] * 0;
  }
  bool are_finite() const { return rest == 0 && !any(vector != 0); }
};

/// Bit k is set where row k holds a NaN or infinity; at most 64 rows, `stride` apart.
template <class T>
uint64_t rows_not_finite(const T* first, int64_t stride, int64_t count, int64_t size) {
  Zeros<T> zeros[4];  // so that a sum needn't wait for the one before
  int64_t k = 0;
  for (; k + 4 <= count; k += 4) {
#pragma GCC unroll 4
    for (int64_t r = 0; r < 4; ++r) zeros[r].add(first + (k + r) * stride, size);
  }
  for (; k < count; ++k) zeros[0].add(first + k * stride, size);
  bool finite = true;
  for (const Zeros<T>& part : zeros) finite = part.are_finite() && finite;
  uint64_t rows = 0;
  for (k = 0; k < count && !finite; ++k) {
    Zeros<T> row;
    row.add(first + k * stride, size);
    if (!row.are_finite()) rows |= uint64_t{1} << k;
  }
  return rows;
}

}  // namespace
}  // namespace foveal
