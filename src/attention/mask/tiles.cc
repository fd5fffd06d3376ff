#include "attention/mask/tiles.h"

#include <algorithm>

namespace foveal {
namespace {

/// Whether keys begin .. end - 1 are seen by no query, by all, or by some.
enum class Seen { nothing, everything, something };

Seen look(const BoundMask& mask, std::int64_t b, std::int64_t h, std::int64_t first,
          std::int64_t last, std::int64_t begin, std::int64_t end) {
  bool nothing = true, everything = true;
  for (std::int64_t j0 = begin; j0 < end; j0 += 64) {
    const std::uint64_t whole = interval_word(j0, end, j0);
    for (std::int64_t i = first; i < last; ++i) {
      const std::uint64_t bits = mask.word(b, h, i, j0) & whole;
      nothing = nothing && bits == 0;
      everything = everything && bits == whole;
      if (!nothing && !everything) return Seen::something;
    }
  }
  return nothing ? Seen::nothing : Seen::everything;
}

void append(std::vector<TileRun>& runs, const TileRun& next) {
  if (!runs.empty() && runs.back().last == next.first && runs.back().kind == next.kind) {
    runs.back().last = next.last;
  } else {
    runs.push_back(next);
  }
}

}  // namespace

std::vector<TileRun> tile_runs(const BoundMask& mask, std::int64_t b, std::int64_t h,
                               std::int64_t first, std::int64_t last, std::int64_t tile) {
  const VisibleKeys keys = mask.keys(b, h, first, last);
  const std::int64_t key_length = mask.shape().key_length;
  std::vector<TileRun> runs;
  auto full = keys.all.intervals().begin();
  const auto full_end = keys.all.intervals().end();
  std::int64_t next = 0;  // the first tile that hasn't been looked at
  for (const Interval& visible : keys.any.intervals()) {
    const std::int64_t stop = (visible.end + tile - 1) / tile;
    next = std::max(next, visible.begin / tile);
    while (next < stop) {
      const std::int64_t begin = next * tile, end = std::min(begin + tile, key_length);
      while (full != full_end && full->end < end) ++full;
      if (full != full_end && full->begin <= begin) {
        // All the tiles that the interval covers at once: a long row has thousands.
        const std::int64_t covered = full->end == key_length ? stop : full->end / tile;
        append(runs, {next, covered, TileKind::full});
        next = covered;
        continue;
      }
      const Seen seen = look(mask, b, h, first, last, begin, end);
      if (seen == Seen::everything) append(runs, {next, next + 1, TileKind::full});
      if (seen == Seen::something) append(runs, {next, next + 1, TileKind::partial});
      ++next;
    }
  }
  return runs;
}

std::int64_t visible_pairs(const BoundMask& mask, std::int64_t b, std::int64_t h,
                           std::int64_t first, std::int64_t last) {
  constexpr std::int64_t tile = 64;
  std::int64_t pairs = 0;
  for (const TileRun& run : tile_runs(mask, b, h, first, last, tile)) {
    const std::int64_t begin = run.first * tile;
    const std::int64_t end = std::min(run.last * tile, mask.shape().key_length);
    if (run.kind == TileKind::full) {
      pairs += (last - first) * (end - begin);
      continue;
    }
    for (std::int64_t j0 = begin; j0 < end; j0 += 64) {
      for (std::int64_t i = first; i < last; ++i) {
        pairs += __builtin_popcountll(mask.word(b, h, i, j0));
      }
    }
  }
  return pairs;
}

}  // namespace foveal
