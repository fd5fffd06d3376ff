#pragma once
// Whether tensors share memory: what is written must not be read, nor written twice.

#include "foveal/tensor.h"

namespace foveal {

/// Whether some element of `a` lies in the memory of one of `b`. Exact: rows, or elements where the
/// last stride isn't 1, are compared one by one where the tensors' ends don't settle it.
bool overlap(const Tensor& a, const Tensor& b);

/// Whether two elements of the tensor itself may share memory, as where a stride is 0.
bool overlaps_itself(const Tensor& tensor);

}  // namespace foveal
