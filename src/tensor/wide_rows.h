#pragma once
// Rows along the last axis in float32, or float64: what operations along one axis, and gradients
// that add up, work on.

#include "tensor/operation.h"
#include "tensor/parallel.h"

namespace foveal {

/// float64 for float64, else float32.
inline DType wide_dtype(DType dtype) {
  return dtype == DType::float64 ? DType::float64 : DType::float32;
}

/// act(zero of the wide dtype).
template <class Act>
void with_wide(DType dtype, const Act& act) {
  dtype == DType::float64 ? act(double{}) : act(float{});
}

/// work(first, last) on ranges of the rows of a contiguous tensor, on all threads; `passes` is how
/// often a row is gone through.
template <class Work>
void for_rows(const Tensor& rows, std::int64_t passes, const Work& work) {
  const std::int64_t count = rows.size(-1);
  for_ranges(count == 0 ? 0 : rows.element_count() / count, passes * count, work);
}

}  // namespace foveal
