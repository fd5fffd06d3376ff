#pragma once
// Pairs of bfloat16: how they are made, and the product that takes two of them a lane.

#include "kernels/forward/state.h"
#include "kernels/products/transpose.h"

namespace foveal {
namespace {

inline PairVector load_pairs(const void* from) {
  PairVector pairs;
  __builtin_memcpy(&pairs, from, sizeof pairs);
  return pairs;
}

inline void store_pairs(void* to, PairVector pairs) { __builtin_memcpy(to, &pairs, sizeof pairs); }

/// Two neighbours in memory, in every lane.
inline PairVector broadcast_pair(const uint16_t* from) {
  int32_t pair;
  __builtin_memcpy(&pair, from, sizeof pair);
  return PairVector{} + pair;
}

/// A bfloat16's bits as float32.
inline float bfloat16_number(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float number;
  __builtin_memcpy(&number, &wide, sizeof number);
  return number;
}

/// The lower and the upper numbers of pairs, in float32.
inline FloatVector lower_of(PairVector pairs) { return (FloatVector)(pairs << 16); }
inline FloatVector upper_of(PairVector pairs) {
  return (FloatVector)(pairs & static_cast<int32_t>(0xffff0000));
}

/// Numbers from 0 up, rounded to the nearest bfloat16 (a tie up).
inline PairVector paired(FloatVector lower, FloatVector upper) {
  using Unsigned = uint32_t __attribute__((vector_size(kRegisterBytes)));
  const Unsigned low = ((Unsigned)lower + 0x8000) >> 16;
  const Unsigned high = ((Unsigned)upper + 0x8000) & 0xffff0000;
  return (PairVector)(low | high);
}

/// A matrix of pairs: pair k of a row lies at data + row * row_stride + k * step.
struct PairRows {
  const uint16_t* data;
  int64_t row_stride, step;
};

/// at[r] += sum over k of a(r, k) * b[k] for the vectors from First on, where row k of b begins at
/// b + k * b_stride.
template <int First, int R, int C>
inline __attribute__((always_inline)) void add_pair_products(Block<float, R, C>& block,
                                                             const PairRows& a, const uint32_t* b,
                                                             int64_t count,
                                                             int64_t b_stride = kQueryTile<float>) {
  const uint16_t* element = a.data;
  for (int64_t k = 0; k < count; ++k) {
    PairVector column[C];
#pragma GCC unroll 16
    for (int c = First; c < C; ++c) column[c] = in_register(load_pairs(b + c * kLanes<float>));
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const PairVector value = in_register(broadcast_pair(element + r * a.row_stride));
#pragma GCC unroll 16
      for (int c = First; c < C; ++c) {
        block.at[r][c] = add_pairs(block.at[r][c], value, column[c]);
      }
    }
    element += a.step;
    b += b_stride;
  }
}

/// The product of R rows of `size` numbers with columns of pairs, kQueryTile apart.
template <int R, int C>
inline __attribute__((always_inline)) void multiply_pairs(Block<float, R, C>& block,
                                                          const uint16_t* rows, int64_t row_stride,
                                                          int64_t size, const uint32_t* columns) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < C; ++v) block.at[r][v] = FloatVector{};
  }
  const int64_t pairs = size / 2;
  add_pair_products<0>(block, {rows, row_stride, 2}, columns, pairs);
  if (size % 2 == 0) return;
  // The last number has none beside it: the row may end there.
  uint16_t last[R][2] = {};
  for (int r = 0; r < R; ++r) last[r][0] = rows[r * row_stride + 2 * pairs];
  add_pair_products<0>(block, {last[0], 2, 0}, columns + pairs * kQueryTile<float>, 1);
}

/// Two rows side by side: pairs[d] = (lower[d], upper[d]); upper may be null, for zeros.
inline void interleave(const uint16_t* lower, const uint16_t* upper, int64_t size,
                       uint32_t* pairs) {
  int64_t d = 0;
  for (; upper != nullptr && d + 2 * kLanes<float> <= size; d += 2 * kLanes<float>) {
    PairVector first, second;
    mix(load_pairs(lower + d), load_pairs(upper + d), first, second);
    store_pairs(pairs + d, first);
    store_pairs(pairs + d + kLanes<float>, second);
  }
  for (; d < size; ++d) {
    pairs[d] = lower[d] | static_cast<uint32_t>(upper == nullptr ? 0 : upper[d]) << 16;
  }
}

/// Whether all lower numbers of a row of pairs are finite, in bit 0; whether all upper ones are, in
/// bit 1.
inline unsigned finite_halves(const uint32_t* pairs, int64_t size) {
  FloatVector lower{}, upper{};  // x * 0 is NaN where x is not finite
  int64_t d = 0;
  for (; d + kLanes<float> <= size; d += kLanes<float>) {
    const PairVector both = load_pairs(pairs + d);
    lower += lower_of(both) * 0;
    upper += upper_of(both) * 0;
  }
  unsigned finite = (any(lower != 0) ? 0U : 1U) | (any(upper != 0) ? 0U : 2U);
  for (; d < size; ++d) {
    if ((pairs[d] & 0x7f80) == 0x7f80) finite &= ~1U;
    if ((pairs[d] & 0x7f800000) == 0x7f800000) finite &= ~2U;
  }
  return finite;
}

/// The transpose of `count` rows of `size` numbers (Q or dO) in pairs along the row, lanes queries;
/// zeros past the last query and the last number.
inline void pair_columns(const uint16_t* from, int64_t stride, int64_t count, int64_t size,
                         uint32_t* pairs) {
  constexpr int kSquare = kLanes<float>;
  const int64_t whole = size / 2;
  const int64_t rows = count - count % kSquare, columns = whole - whole % kSquare;
  for (int64_t q = 0; q < rows; q += kSquare) {
    for (int64_t k = 0; k < columns; k += kSquare) {
      FloatVector square[kSquare];
#pragma GCC unroll 16
      for (int n = 0; n < kSquare; ++n) {
        square[n] = (FloatVector)load_pairs(from + (q + n) * stride + 2 * k);
      }
      turn<float, kSquare / 2>(square);
#pragma GCC unroll 16
      for (int n = 0; n < kSquare; ++n) {
        store_pairs(pairs + (k + n) * kQueryTile<float> + q, (PairVector)square[n]);
      }
    }
  }
  for (int64_t q = 0; q < kQueryTile<float>; ++q) {
    const uint16_t* const row = from + q * stride;
    for (int64_t k = q < rows ? columns : 0; k < (size + 1) / 2; ++k) {
      const uint32_t lower = q < count ? row[2 * k] : 0;
      const uint32_t upper = q < count && k < whole ? row[2 * k + 1] : 0;
      pairs[k * kQueryTile<float> + q] = lower | upper << 16;
    }
  }
}

/// to[0 .. size) = from * factor, rounded; `from` is as long as whole vectors.
inline void narrow_row(const float* from, int64_t size, float factor, uint16_t* to) {
  for (int64_t d = 0; d < size; d += kLanes<float>) {
    const NarrowVector numbers = narrowed(load(from + d) * factor);
    if (d + kLanes<float> <= size) {
      __builtin_memcpy(to + d, &numbers, sizeof numbers);
    } else {
      for (int64_t n = 0; d + n < size; ++n) to[d + n] = numbers[n];
    }
  }
}

/// Rows of `size` numbers from columns that have a lane a query, times factor and rounded.
inline void narrow_columns(const float* columns, int64_t size, int64_t count, float factor,
                           uint16_t* to, int64_t stride) {
  constexpr int64_t kColumns = kLanes<float>;
  for (int64_t d = 0; d < size; d += kColumns) {
    const int64_t some = size - d < kColumns ? size - d : kColumns;
    float rows[kQueryTile<float> * kColumns];  // columns past the last are not used
    transpose(columns + d * kQueryTile<float>, int64_t{kQueryTile<float>}, some,
              int64_t{kQueryTile<float>}, factor, rows, kColumns);
    for (int64_t q = 0; q < count; ++q)
      narrow_row(rows + q * kColumns, some, 1, to + q * stride + d);
  }
}

}  // namespace
}  // namespace foveal
