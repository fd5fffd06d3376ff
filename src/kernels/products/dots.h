#pragma once
// One row times a matrix whose rows lie as they are summed, as in a Linear layer: bound by reading
// the matrix once, row after row.

#include "kernels/halves/storage.h"
#include "kernels/products/dots_task.h"

namespace foveal {
namespace {

// Of the matrix, that share what is read of the row: as many as the registers hold. Zen 4, AVX-512,
// of read bandwidth: 4 rows 85 %, 8 rows all of it.
constexpr int kDotRows = kQueryVectors >= 4 ? 8 : 6;
constexpr int kDotSums = 2;  // vectors of sums a row: enough to hide how long a product takes
// Rows of so many bytes come from memory. Halves are then read row after row, in the order of
// addresses: Zen 4, of read bandwidth: 59 -> 90 %. For float32 several rows at a time are faster.
constexpr int64_t kLongRow = 4096;
/// Bytes that a row is asked for ahead: nearer was slower.
template <int R>
constexpr int64_t kBytesAhead = R == 1 ? 8192 : 2048;

/// Asks for what is read later, as vector s of a step is read: each line once.
template <class T, class S, int R>
inline void ask_ahead(const S* from, int s) {
  const int64_t first = s * kLanes<T> * static_cast<int64_t>(sizeof(S));
  if (first % 64 != 0) return;
  __builtin_prefetch(reinterpret_cast<const char*>(from) + kBytesAhead<R>, 0, 2);
}

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
        const S* const from = matrix + r * task.matrix_row + k + s * kLanes<T>;
        ask_ahead<T, S, R>(from, s);
        sums[r][s] += numbers * load_wide<T>(from);
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
  const bool is_long = task.inner * static_cast<int64_t>(sizeof(S)) >= kLongRow;
  const bool by_row = is_long && sizeof(S) < sizeof(T);
  int64_t j = 0;
  for (; j + kDotRows <= task.count && !by_row; j += kDotRows) dot_rows<T, S, kDotRows>(task, j);
  for (; j < task.count; ++j) dot_rows<T, S, 1>(task, j);
}

}  // namespace
}  // namespace foveal
