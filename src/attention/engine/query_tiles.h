#pragma once
// The tiles of queries of a plan, and the order in which threads take them.

#include <algorithm>

#include "attention/plan/plan_data.h"
#include "core/thread_pool.h"

namespace foveal {

/// A tile of queries of one head.
struct QueryTile {
  std::int64_t b = 0, h = 0, tile = 0;
  bool first = false;  ///< of those that share a KV head
};

/// The sequence's tiles of queries, head by head, the heaviest first within a head.
inline QueryTile query_tile_at(const Problem& problem, const SequencePlan& sequence,
                               std::int64_t index) {
  const std::int64_t head = index / sequence.query_tiles;
  QueryTile at{head / problem.heads, head % problem.heads, 0, false};
  at.first = index % sequence.query_tiles == 0 && at.h % problem.group() == 0;
  const auto& order = sequence.order[static_cast<std::size_t>(sequence.plane(at.b, at.h))];
  at.tile = order[static_cast<std::size_t>(index % sequence.query_tiles)];
  return at;
}

/// Tiles of queries that one thread takes at a time: several where each is little work.
inline std::int64_t tiles_per_task(const SequencePlan& sequence, std::int64_t tiles) {
  constexpr std::int64_t kFewKeys = 512, kMost = 8, kTasksPerThread = 8;
  const std::int64_t by_work = kFewKeys / std::max<std::int64_t>(sequence.sequence.key_length, 64);
  const std::int64_t by_threads = tiles / (kTasksPerThread * num_threads());
  return std::clamp<std::int64_t>(std::min(by_work, by_threads), 1, kMost);
}

/// Calls run(sequence, tile, next tile) for all tiles of queries, side by side; sequences that are
/// decoded are left out.
template <class Run>
void for_each_query_tile(const PlanData& plan, const Run& run) {
  const Problem& problem = plan.problem;
  for (const SequencePlan& sequence : plan.sequences) {
    if (sequence.decode) continue;
    const std::int64_t tiles = problem.batch * problem.heads * sequence.query_tiles;
    const std::int64_t share = tiles_per_task(sequence, tiles);
    parallel_for((tiles + share - 1) / share, [&](std::int64_t task) {
      const std::int64_t last = std::min(tiles, (task + 1) * share);
      for (std::int64_t index = task * share; index < last; ++index) {
        run(sequence, query_tile_at(problem, sequence, index),
            query_tile_at(problem, sequence, std::min(index + 1, tiles - 1)));
      }
    });
  }
}

}  // namespace foveal
