#pragma once
// Rows that will soon be needed.

#include <stdint.h>

namespace foveal {
namespace {

/// Asks for `rows` rows of `size` numbers each, into the second cache: the first one has room for
/// few requests at a time.
template <class T>
inline void prefetch_rows(const T* first, int64_t stride, int64_t rows, int64_t size) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t n = 0; n < size; n += kLine) {
      __builtin_prefetch(first + r * stride + n, 0, 2);
    }
  }
}

}  // namespace
}  // namespace foveal
