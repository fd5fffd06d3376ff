#pragma once
// Which queries of a tile see which of its keys, and the blocks that follow from it.

#include "kernels/forward/task.h"
#include "kernels/products/micro.h"
#include "kernels/tile_sizes.h"

namespace foveal {
namespace {

/// Where a block of R keys by C vectors of queries lies in its tile.
struct Corner {
  int64_t row = 0;  ///< its first key
  int lane = 0;     ///< its first query
};

struct Range {
  int64_t first = 0, last = 0;
};

/// What a block needs beside its products: nothing, the mask, or whatever the task has.
enum class Path { plain, masked, general };

/// The queries that see one of the keys row .. row + count - 1, a bit each.
inline uint64_t queries_seeing(const KeyTile& tile, int64_t row, int64_t count) {
  if (tile.bits == nullptr) return ~uint64_t{0};
  uint64_t seen = 0;
  for (int64_t r = row; r < row + count; ++r) seen |= tile.bits[r];
  return seen;
}

/// The queries that see all of them.
inline uint64_t queries_seeing_all(const KeyTile& tile, int64_t row, int64_t count) {
  if (tile.bits == nullptr) return ~uint64_t{0};
  uint64_t seen = ~uint64_t{0};
  for (int64_t r = row; r < row + count; ++r) seen &= tile.bits[r];
  return seen;
}

/// `count` bits from `lane` on.
inline uint64_t lane_bits(int lane, int64_t count) {
  return (~uint64_t{0} >> (64 - count)) << lane;
}

/// From the first to the last vector of the strip with a query that sees one of the keys.
template <class T>
inline Range vectors_seeing(const KeyTile& tile, int strip, int64_t row, int64_t count) {
  const int lane = strip * kStripLanes<T>;
  const uint64_t seen = queries_seeing(tile, row, count) & lane_bits(lane, kStripLanes<T>);
  if (seen == 0) return {};
  return {(__builtin_ctzll(seen) - lane) / kLanes<T>,
          (63 - __builtin_clzll(seen) - lane) / kLanes<T> + 1};
}

template <class T>
inline Bits<T> visible(const KeyTile& tile, int64_t row, int lane) {
  return lanes_of<T>(tile.bits[row] >> lane);
}

/// Scores of cells that are masked become minus infinity.
template <class T, int R, int C>
inline __attribute__((always_inline)) void hide(const KeyTile& tile, const Corner& corner,
                                                Block<T, R, C>& scores) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < C; ++v) {
      const Bits<T> seen = visible<T>(tile, corner.row + r, corner.lane + v * kLanes<T>);
      scores.at[r][v] = seen ? scores.at[r][v] : broadcast(kMasked<T>);
    }
  }
}

}  // namespace
}  // namespace foveal
