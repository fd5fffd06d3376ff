#pragma once
// A bound mask cut into tiles: what the kernels walk.

#include <vector>

#include "attention/mask/node.h"

namespace foveal {

enum class TileKind { full, partial };

/// Key tiles first .. last - 1 of one block of queries, all of one kind; empty tiles are in no run.
struct TileRun {
  std::int64_t first = 0, last = 0;
  TileKind kind = TileKind::full;
};

/// The key tiles (of `tile` keys each; the last one may be shorter) that queries first .. last - 1
/// see something of. A partial tile is looked at bit by bit, so that an empty or full one is never
/// called partial; costs what it shows, not L_k.
std::vector<TileRun> tile_runs(const BoundMask& mask, std::int64_t b, std::int64_t h,
                               std::int64_t first, std::int64_t last, std::int64_t tile);

/// How many (query, key) pairs of that block are visible.
std::int64_t visible_pairs(const BoundMask& mask, std::int64_t b, std::int64_t h,
                           std::int64_t first, std::int64_t last);

}  // namespace foveal
