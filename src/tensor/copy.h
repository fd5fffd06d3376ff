#pragma once
// Elements from one tensor to another.

#include "foveal/tensor.h"

namespace foveal {

/// Writes the elements of `from` to `to`: same shape and dtype, memory that doesn't overlap.
void copy_elements(Tensor& to, const Tensor& from);

}  // namespace foveal
