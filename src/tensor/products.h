#pragma once
// Products of float32 and float64 matrices on the target's kernels.

#include <cstdint>

namespace foveal {

/// Element (i, j) lies at data[i * row + j * step].
template <class T>
struct Matrix {
  const T* data = nullptr;
  std::int64_t row = 0, step = 0;
};

struct ProductSize {
  std::int64_t rows = 0, inner = 0, columns = 0;
};

/// out, row-major = a (rows, inner) times b (inner, columns), plus bias (columns) where not null.
/// Sums in T, in the order of inner. Parallel; the bits don't depend on the number of threads.
template <class T>
void multiply_matrices(const Matrix<T>& a, const Matrix<T>& b, const T* bias, T* out,
                       const ProductSize& size);

}  // namespace foveal
