#pragma once
// One row times a matrix whose rows lie as they are summed, as in a Linear layer: bound by reading
// the matrix once, row after row.

#include "kernels/halves/storage.h"
#include "kernels/products/dots_task.h"

namespace foveal {
namespace {

constexpr int kDotRows = 4;  // of the matrix, that share what is read of the row
constexpr int kDotSums = 2;  // vectors of sums a row: enough to hide how long a product takes

/// Rows j .. j + R - 1 of the matrix.
template <class T, class S, int R>
inline __attribute__((always_inline)) void dot_rows(const DotsTask<T>& task, int64_t j) {
  constexpr int64_t step = kDotSums * kLanes<T>;
  const S* const matrix = static_cast<const S*>(task.matrix) + j * task.matrix_row;
  Vector<T> sums[R][kDotSums] = {};
  int64_t k = 0;
  for (; k + step <= task.inner; k += step) {
#pragma GCC unroll 8
    for (int s = 0; s < kDotSums; ++s) {
      const Vector<T> numbers = in_register(load(task.row + k + s * kLanes<T>));
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        sums[r][s] += numbers * load_wide<T>(matrix + r * task.matrix_row + k + s * kLanes<T>);
      }
    }
  }
  for (; k < task.inner; k += kLanes<T>) {
    const int64_t left = task.inner - k < kLanes<T> ? task.inner - k : kLanes<T>;
    const Vector<T> numbers = load_wide<T>(task.row + k, left);
    for (int r = 0; r < R; ++r) {
      sums[r][0] += numbers * load_wide<T>(matrix + r * task.matrix_row + k, left);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    Vector<T> sum = sums[r][0];
#pragma GCC unroll 8
    for (int s = 1; s < kDotSums; ++s) sum += sums[r][s];
    task.out[j + r] = (task.bias == nullptr ? T(0) : task.bias[j + r]) + sum_of_lanes<T>(sum);
  }
}

template <class T, class S>
void dots(const DotsTask<T>& task) {
  int64_t j = 0;
  for (; j + kDotRows <= task.count; j += kDotRows) dot_rows<T, S, kDotRows>(task, j);
  for (; j < task.count; ++j) dot_rows<T, S, 1>(task, j);
}

}  // namespace
}  // namespace foveal
