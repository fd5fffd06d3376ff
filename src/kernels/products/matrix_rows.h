#pragma once
// Rows of numbers in memory, as products read them.

#include <stdint.h>

namespace foveal {

/// Row r begins at data + r * row_stride; what one multiply-add takes of it (a number, or a pair of
/// neighbours) lies `step` from the one before.
template <class N>
struct MatrixRows {
  const N* data = nullptr;
  int64_t row_stride = 0, step = 0;
};

}  // namespace foveal
