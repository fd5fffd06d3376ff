#pragma once
// What a matrix-product kernel is asked to do.

#include "kernels/products/matrix_rows.h"

namespace foveal {

/// rows of A times one panel of B, into C. Row k of the panel begins at panel + k * panel_row: the
/// target's panel width of columns, the ones past `columns` as zeros; a row of pairs holds two rows
/// of B. C's rows have unit stride. T is what is summed, N what A holds, P a lane of the panel.
template <class T, class N = T, class P = T>
struct GemmTask {
  MatrixRows<N> a;
  const P* panel = nullptr;
  int64_t panel_row = 0;
  int64_t inner = 0;  ///< numbers of a row of A; of pairs the last may be without a partner
  T* c = nullptr;
  int64_t c_row = 0;
  int64_t rows = 0, columns = 0;
  const T* bias = nullptr;  ///< `columns` numbers that the sums start from, or null
  bool add = false;         ///< add to what C holds (and no bias), else overwrite
};

}  // namespace foveal
