#pragma once
// What a kernel of dot products is asked to do.

#include <stdint.h>

namespace foveal {

/// One row of numbers times each row of a matrix: out[j] = bias[j] + Σ_k row[k] matrix[j][k]. The
/// matrix holds T or a half type; its rows have unit stride and lie `matrix_row` elements apart.
template <class T>
struct DotsTask {
  const T* row = nullptr;
  const void* matrix = nullptr;
  int64_t matrix_row = 0;
  int64_t inner = 0, count = 0;  ///< numbers of a row, rows of the matrix
  const T* bias = nullptr;       ///< `count` numbers, or null for zeros
  T* out = nullptr;
};

}  // namespace foveal
