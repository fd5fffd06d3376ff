#pragma once
// Rows that hold a NaN or infinity: found, left out of products, where 0 times infinity would be
// NaN, and added for those alone that see them.

#include "kernels/halves/storage.h"
#include "kernels/tile_bits.h"

namespace foveal {
namespace {

/// Elements times 0, added up: NaN where one is not finite.
template <class T>
struct Zeros {
  Vector<T> vector{};
  T rest = 0;

  void add(const T* row, int64_t size) {
    int64_t d = 0;
    for (; d + kLanes<T> <= size; d += kLanes<T>) vector += load(row + d) * 0;
    for (; d < size; ++d) rest += row[d] * 0;
  }
  bool are_finite() const { return rest == 0 && !any(vector != 0); }
};

/// Bit k is set where row k holds a NaN or infinity; at most 64 rows, `stride` apart.
template <class T>
uint64_t rows_not_finite(const T* first, int64_t stride, int64_t count, int64_t size) {
  Zeros<T> zeros[4];  // so that a sum needn't wait for the one before
  int64_t k = 0;
  for (; k + 4 <= count; k += 4) {
#pragma GCC unroll 4
    for (int64_t r = 0; r < 4; ++r) zeros[r].add(first + (k + r) * stride, size);
  }
  for (; k < count; ++k) zeros[0].add(first + k * stride, size);
  bool finite = true;
  for (const Zeros<T>& part : zeros) finite = part.are_finite() && finite;
  uint64_t rows = 0;
  for (k = 0; k < count && !finite; ++k) {
    Zeros<T> row;
    row.add(first + k * stride, size);
    if (!row.are_finite()) rows |= uint64_t{1} << k;
  }
  return rows;
}

/// to[0 .. size) = from * factor, and zeros up to `width`.
template <class T>
inline void copy_row(const T* from, int64_t size, T factor, T* to, int64_t width) {
  int64_t d = 0;
  for (; d + kLanes<T> <= size; d += kLanes<T>) store(to + d, load(from + d) * factor);
  for (; d < size; ++d) to[d] = from[d] * factor;
  for (; d < width; ++d) to[d] = 0;
}

template <class T>
inline void clear(T* to, int64_t count) {
  for (int64_t n = 0; n < count; ++n) to[n] = 0;
}

/// Rows times `factor`, `width` apart, those of `skipped` and what pads them as zeros.
template <class T>
void copy_rows(const T* from, int64_t stride, int64_t count, int64_t size, uint64_t skipped,
               T factor, int64_t width, T* to) {
  for (int64_t q = 0; q < count; ++q) {
    if ((skipped >> q) & 1) {
      clear(to + q * width, width);
    } else {
      copy_row(from + q * stride, size, factor, to + q * width, width);
    }
  }
}

/// Calls act(k, q) for the visible cells of the keys and queries whose bits are set.
template <class Act>
void for_cells(const KeyTile& tile, uint64_t keys, uint64_t queries, const Act& act) {
  for (int64_t k = 0; k < tile.count; ++k) {
    if (((keys >> k) & 1) == 0) continue;
    const uint64_t seen = tile.bits == nullptr ? queries : tile.bits[k] & queries;
    for (int64_t q = 0; q < 64; ++q) {
      if ((seen >> q) & 1) act(k, q);
    }
  }
}

/// to[d * step] += weight * row[d].
template <class T, class S>
inline void add_row(T weight, const S* row, int64_t size, T* to, int64_t step) {
  for (int64_t d = 0; d < size; ++d) to[d * step] += weight * number_of(row[d]);
}

}  // namespace
}  // namespace foveal
