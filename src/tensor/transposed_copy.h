#pragma once
// Transposed copies of matrices of any dtype.

#include <cstdint>

namespace foveal {

/// to[c * to_stride + r] = from[r * from_stride + c] for r < rows and c < columns, which don't
/// overlap. T: an element type, half types as uint16, bool as uint8.
template <class T>
void copy_transposed(const T* from, std::int64_t from_stride, std::int64_t rows,
                     std::int64_t columns, T* to, std::int64_t to_stride);

/// Rows enough to write a few cache lines of `to` one after the other.
template <class T>
constexpr std::int64_t kTransposedRows = 512 / static_cast<std::int64_t>(sizeof(T));

}  // namespace foveal
