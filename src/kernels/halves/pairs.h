#pragma once
// Pairs of bfloat16: how they are made, and the math that multiplies two of them a lane.

#include "kernels/halves/storage.h"
#include "kernels/products/transpose.h"
#include "kernels/tile_sizes.h"

namespace foveal {
namespace {

constexpr int64_t kPairTile = kQueryTile<float>;
static_assert(kPairTile == kStripLanes<float>, "a tile of queries is one strip");

inline PairVector load_pairs(const void* from) {
  PairVector pairs;
  __builtin_memcpy(&pairs, from, sizeof pairs);
  return pairs;
}

inline void store_pairs(void* to, PairVector pairs) { __builtin_memcpy(to, &pairs, sizeof pairs); }

/// Pairs with float32 sums (products/math.h). Columns hold a pair a lane.
struct Pairs {
  using Sum = float;
  using Number = uint16_t;
  using Column = uint32_t;
  using Stored = BFloat16Bits;
  static constexpr int kNumbers = 2;
  static constexpr bool kUnrolls = false;  // Zen 4: a forward with a bias took 3 % more time

  static inline __attribute__((always_inline)) PairVector load(const void* from) {
    return load_pairs(from);
  }
  /// The first `count` numbers, less than a vector; the others are 0.
  static inline PairVector load(const void* from, int64_t count) {
    return load_numbers(from, count);
  }
  /// Two neighbours in memory, in every lane.
  static inline __attribute__((always_inline)) PairVector spread(const void* from) {
    int32_t pair;
    __builtin_memcpy(&pair, from, sizeof pair);
    return in_register(PairVector{} + pair);
  }
  static inline __attribute__((always_inline)) FloatVector multiply_add(FloatVector sum,
                                                                        PairVector a,
                                                                        PairVector b) {
    return add_pairs(sum, a, b);
  }
};

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
  if (upper != nullptr && d + kLanes<float> <= size) {
    PairVector first, second;
    mix(load_numbers(lower + d, kLanes<float>), load_numbers(upper + d, kLanes<float>), first,
        second);
    store_pairs(pairs + d, first);
    d += kLanes<float>;
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

/// `count` rows of `size` numbers, two by two side by side; zeros beside a last one without a
/// partner, and up to `width`, which pairs are apart.
inline void pair_rows(const uint16_t* from, int64_t stride, int64_t count, int64_t size,
                      int64_t width, uint32_t* pairs) {
  for (int64_t k = 0; k < count; k += 2, pairs += width) {
    const uint16_t* const row = from + k * stride;
    interleave(row, k + 1 < count ? row + stride : nullptr, size, pairs);
    for (int64_t d = size; d < width; ++d) pairs[d] = 0;
  }
}

/// Bit k is set where row k of those holds a NaN or infinity; at most 64 rows.
inline uint64_t pairs_not_finite(const uint32_t* pairs, int64_t count, int64_t size,
                                 int64_t width) {
  uint64_t rows = 0;
  for (int64_t k = 0; k < count; k += 2, pairs += width) {
    rows |= static_cast<uint64_t>(3 & ~finite_halves(pairs, size)) << k;
  }
  return rows;
}

/// The transpose of `count` rows of `size` numbers, in pairs along the row: `width` lanes side by
/// side, one a row; zeros past the last row and the last number.
template <int64_t width>
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
        store_pairs(pairs + (k + n) * width + q, (PairVector)square[n]);
      }
    }
  }
  for (int64_t q = 0; q < width; ++q) {
    const uint16_t* const row = from + q * stride;
    for (int64_t k = q < rows ? columns : 0; k < (size + 1) / 2; ++k) {
      const uint32_t lower = q < count ? row[2 * k] : 0;
      const uint32_t upper = q < count && k < whole ? row[2 * k + 1] : 0;
      pairs[k * width + q] = lower | upper << 16;
    }
  }
}

inline BFloat16Bits* elements_of(uint16_t* bits) { return reinterpret_cast<BFloat16Bits*>(bits); }
inline const BFloat16Bits* elements_of(const uint16_t* bits) {
  return reinterpret_cast<const BFloat16Bits*>(bits);
}

/// to[0 .. size) = from * factor, rounded; `from` is as long as whole vectors.
inline void write_row(const float* from, int64_t size, float factor, BFloat16Bits* to) {
  for (int64_t d = 0; d < size; d += kLanes<float>) {
    const NarrowVector numbers = narrowed(load(from + d) * factor);
    if (d + kLanes<float> <= size) {
      __builtin_memcpy(to + d, &numbers, sizeof numbers);
    } else {
      for (int64_t n = 0; d + n < size; ++n) to[d + n] = {numbers[n]};
    }
  }
}

/// Rows of `size` numbers from columns that have a lane a query, times factor and rounded.
inline void narrow_columns(const float* columns, int64_t size, int64_t count, float factor,
                           uint16_t* to, int64_t stride) {
  constexpr int64_t kColumns = kLanes<float>;
  for (int64_t d = 0; d < size; d += kColumns) {
    const int64_t some = size - d < kColumns ? size - d : kColumns;
    float rows[kPairTile * kColumns];  // columns past the last are not used
    transpose(columns + d * kPairTile, kPairTile, some, kPairTile, factor, rows, kColumns);
    for (int64_t q = 0; q < count; ++q) {
      write_row(rows + q * kColumns, some, 1, elements_of(to + q * stride + d));
    }
  }
}

}  // namespace
}  // namespace foveal
