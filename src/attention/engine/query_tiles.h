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
  QueryTile at{sequence.sequence.first_entry + head / problem.heads, head % problem.heads, 0,
               false};
  at.first = index % sequence.query_tiles == 0 && at.h % problem.group() == 0;
  const auto& order = sequence.order[static_cast<std::size_t>(sequence.plane(at.b, at.h))];
  at.tile = order[static_cast<std::size_t>(index % sequence.query_tiles)];
  return at;
}

/// The tiles of a list as tasks of a few tiles each: run(sequence, tile, next tile of the sequence)
/// for each tile.
template <class Run>
class QueryTileTasks {
 public:
  QueryTileTasks(const PlanData& plan, const WorkList& list, const Run& run)
      : plan_(plan), list_(list), run_(run), share_(list.tiles_per_task(threads_of_call())) {}

  std::int64_t count() const { return (list_.tiles() + share_ - 1) / share_; }

  void operator()(std::int64_t task) const {
    const std::int64_t last = std::min(list_.tiles(), (task + 1) * share_);
    auto part = list_.part_of(task * share_);
    for (std::int64_t index = task * share_; index < last; ++index) {
      if (index == part->last()) ++part;
      const SequencePlan& sequence = plan_.sequences[part->sequence];
      const std::int64_t next = std::min(index + 1, part->last() - 1);
      run_(sequence, query_tile_at(plan_.problem, sequence, index - part->first),
           query_tile_at(plan_.problem, sequence, next - part->first));
    }
  }

 private:
  const PlanData& plan_;
  const WorkList& list_;
  const Run& run_;
  std::int64_t share_;
};

/// Runs all tiles of a list, side by side.
template <class Run>
void for_each_query_tile(const PlanData& plan, const WorkList& list, const Run& run) {
  const QueryTileTasks<Run> tasks(plan, list, run);
  parallel_for(tasks.count(), tasks);
}

}  // namespace foveal
