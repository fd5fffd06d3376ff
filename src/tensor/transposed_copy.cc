#include "tensor/transposed_copy.h"

#include <cstring>
#include <utility>

namespace foveal {
namespace {

// Registers of 16 bytes, which every CPU has: the copy waits for memory, not for shuffles.
template <std::size_t bytes>
struct Bits;
template <>
struct Bits<1> {
  using Vector = std::uint8_t __attribute__((vector_size(16)));
};
template <>
struct Bits<2> {
  using Vector = std::uint16_t __attribute__((vector_size(16)));
};
template <>
struct Bits<4> {
  using Vector = std::uint32_t __attribute__((vector_size(16)));
};
template <>
struct Bits<8> {
  using Vector = std::uint64_t __attribute__((vector_size(16)));
};

template <class T>
using Vector = typename Bits<sizeof(T)>::Vector;
template <class T>
constexpr int kLanes = 16 / static_cast<int>(sizeof(T));

/// Elements of a cache line.
template <class T>
constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(T));

/// a[h], b[h], a[h + 1], b[h + 1], ... for one half of the lanes.
template <class T, int h, int... N>
Vector<T> zip(Vector<T> a, Vector<T> b, std::integer_sequence<int, N...>) {
  return __builtin_shufflevector(a, b, (h + N / 2 + N % 2 * kLanes<T>)...);
}

/// A perfect shuffle of the rows' elements, which repeated log2(kLanes) times transposes them.
template <class T>
void shuffle(Vector<T> (&rows)[kLanes<T>]) {
  constexpr int half = kLanes<T> / 2;
  constexpr std::make_integer_sequence<int, kLanes<T>> lanes;
  Vector<T> shuffled[kLanes<T>];
#pragma GCC unroll 16
  for (int n = 0; n < half; ++n) {
    shuffled[2 * n] = zip<T, 0>(rows[n], rows[n + half], lanes);
    shuffled[2 * n + 1] = zip<T, half>(rows[n], rows[n + half], lanes);
  }
#pragma GCC unroll 16
  for (int n = 0; n < kLanes<T>; ++n) rows[n] = shuffled[n];
}

/// A square of kLanes by kLanes.
template <class T>
void turn(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride) {
  Vector<T> rows[kLanes<T>];
#pragma GCC unroll 16
  for (int n = 0; n < kLanes<T>; ++n) std::memcpy(&rows[n], from + n * from_stride, 16);
#pragma GCC unroll 4
  for (int count = kLanes<T>; count > 1; count /= 2) shuffle<T>(rows);
#pragma GCC unroll 16
  for (int n = 0; n < kLanes<T>; ++n) std::memcpy(to + n * to_stride, &rows[n], 16);
}

/// A square of one cache line a side, by way of a small copy, so that whole lines are written.
template <class T>
void turn_lines(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride) {
  constexpr std::int64_t side = kLine<T>;
  alignas(64) T square[side * side];
  for (std::int64_t r = 0; r < side; r += kLanes<T>) {
    for (std::int64_t c = 0; c < side; c += kLanes<T>) {
      turn(from + r * from_stride + c, from_stride, square + c * side + r, side);
    }
  }
  for (std::int64_t c = 0; c < side; ++c) std::memcpy(to + c * to_stride, square + c * side, 64);
}

}  // namespace

template <class T>
void copy_transposed(const T* from, std::int64_t from_stride, std::int64_t rows,
                     std::int64_t columns, T* to, std::int64_t to_stride) {
  constexpr std::int64_t side = kLine<T>;
  const std::int64_t whole_rows = rows - rows % side, whole_columns = columns - columns % side;
  for (std::int64_t c = 0; c < whole_columns; c += side) {
    for (std::int64_t r = 0; r < whole_rows; r += side) {
      turn_lines(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
    }
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c) {
      to[c * to_stride + r] = from[r * from_stride + c];
    }
  }
}

#define FOVEAL_COPY_TRANSPOSED(T)                                                       \
  template void copy_transposed(const T*, std::int64_t, std::int64_t, std::int64_t, T*, \
                                std::int64_t);
FOVEAL_COPY_TRANSPOSED(float)
FOVEAL_COPY_TRANSPOSED(double)
FOVEAL_COPY_TRANSPOSED(std::uint16_t)
FOVEAL_COPY_TRANSPOSED(std::int64_t)
FOVEAL_COPY_TRANSPOSED(std::uint8_t)
#undef FOVEAL_COPY_TRANSPOSED

}  // namespace foveal
