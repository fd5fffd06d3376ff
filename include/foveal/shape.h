#pragma once
// Shapes and strides: lists of integers, counted in elements.

#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace foveal {

using Shape = std::vector<std::int64_t>;
using Strides = std::vector<std::int64_t>;

/// "(2, 5, 64)"; "()" for a scalar.
std::string to_string(const Shape& shape);

/// Product of the sizes; 1 for a scalar. Throws Error where a size is negative or the product does
/// not fit in 63 bits.
std::int64_t element_count(const Shape& shape);

/// Strides of a dense row-major array of this shape.
Strides row_major_strides(const Shape& shape);

/// The shape that both broadcast to, aligned at the right (NumPy's rule). `context` names the
/// function and arguments in the error: "add: a has shape (2, 3) but b has (4): ...".
Shape broadcast_shapes(const Shape& a, const Shape& b, const std::string& context);

/// An axis from -rank to rank-1 as one from 0 to rank-1. Throws Error otherwise.
std::int64_t normalize_axis(std::int64_t axis, std::int64_t rank, const std::string& context);

}  // namespace foveal
#pragma GCC visibility pop
