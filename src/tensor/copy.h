#pragma once
// Elements from one tensor to another, and whether their memory meets.

#include "foveal/tensor.h"

namespace foveal {

/// True where writing one could change the other.
bool may_overlap(const Tensor& a, const Tensor& b);

/// Writes the elements of `from` to `to`: same shape and dtype, memory that doesn't overlap. On all
/// threads; where the two lie transposed to each other, by squares.
void copy_elements(Tensor& to, const Tensor& from);

/// Writes `value` to each element. Throws Error, which names the function, where the dtype can't
/// hold it.
void fill_elements(Tensor& to, double value, const char* function);

/// `tensor`, or a copy of it where it is large and lies transposed to `out`, of the same shape: a
/// walk along the rows of one would jump through the other.
Tensor laid_out_like(const Tensor& out, const Tensor& tensor);

}  // namespace foveal
