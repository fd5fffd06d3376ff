#pragma once
// What is measured on, and whether it fits.

#include "foveal/tensor.h"

namespace foveal::measure {

/// Numbers that look normal (mean 0, variance 1; sums of four uniform ones), in parallel; each
/// depends on `seed` and its place alone.
Tensor random_numbers(const Shape& shape, DType dtype, std::uint64_t seed);

/// Bytes of a tensor; a float64, which no size can overflow.
double bytes_of(const Shape& shape, DType dtype);

/// Bytes that random_numbers takes at most, its result included.
double bytes_to_draw(const Shape& shape, DType dtype);

/// Throws Error that begins with `what` where `bytes` are more than this process may use.
void require_memory(const std::string& what, double bytes);

}  // namespace foveal::measure
