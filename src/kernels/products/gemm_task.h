#pragma once
// What a matrix-product kernel is asked to do.

#include <stdint.h>

namespace foveal {

/// rows of A times one panel of B, into C. Element (i, k) of A lies at a[i * a_row + k * a_step],
/// row k of the panel at panel + k * panel_row: the target's panel width of columns, the ones past
/// `columns` as zeros. C's rows have unit stride.
template <class T>
struct GemmTask {
  const T* a = nullptr;
  int64_t a_row = 0, a_step = 0;
  const T* panel = nullptr;
  int64_t panel_row = 0;
  int64_t inner = 0;
  T* c = nullptr;
  int64_t c_row = 0;
  int64_t rows = 0, columns = 0;
  const T* bias = nullptr;  ///< `columns` numbers that the sums start from, or null
  bool add = false;         ///< add to what C holds (and no bias), else overwrite
};

}  // namespace foveal
