#pragma once
// Elements from one tensor to another, and whether their memory meets.

#include "foveal/tensor.h"

namespace foveal {

/// True where writing one could change the other.
bool may_overlap(const Tensor& a, const Tensor& b);

/// Writes the elements of `from` to `to`: same shape and dtype, memory that doesn't overlap.
void copy_elements(Tensor& to, const Tensor& from);

}  // namespace foveal
