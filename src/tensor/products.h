#pragma once
// Products of floating matrices on the target's kernels.

#include <cstdint>

#include "tensor/numbers.h"

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
/// Sums in Compute<S>, in the order of inner (of one row times columns of unit stride, lane by
/// lane), rounded to S once; half types are widened as they are read. Where the target multiplies
/// pairs of bfloat16 its sums are theirs, and subnormal numbers count as 0. Parallel; the bits
/// don't depend on the number of threads.
template <class S>
void multiply_matrices(const Matrix<S>& a, const Matrix<S>& b, const Compute<S>* bias, S* out,
                       const ProductSize& size);

}  // namespace foveal
