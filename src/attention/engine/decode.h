#pragma once
// A few queries against many keys: the path of generation token by token.

#include <functional>

#include "attention/engine/doubtful_rows.h"
#include "attention/engine/query_tiles.h"
#include "attention/plan/plan_data.h"

namespace foveal {

/// What a plan has besides decodes, of any number type: task(index) for index 0 .. count - 1.
struct TileTasks {
  std::int64_t count = 0;
  std::function<void(std::int64_t)> task;

  TileTasks() = default;
  /// `tasks` outlives it.
  template <class Run>
  explicit TileTasks(const QueryTileTasks<Run>& tasks)
      : count(tasks.count()), task(std::cref(tasks)) {}
};

/// Runs the tiles of queries, then the plan's sequences that are decoded, as one list of tasks, so
/// that no thread waits between them. Decodes take query, key and value as they were given, and
/// write `result.output` (of the query's dtype, or of the one that is computed in) and, where
/// defined, `result.lse`. Rows that may be wrong join `doubtful`.
void run_with_decodes(const TileTasks& tiles, const PlanData& plan, const Tensor& query,
                      const Tensor& key, const Tensor& value, AttentionResult& result,
                      DoubtfulRows& doubtful);

/// The same into a state.
void run_with_decodes(const TileTasks& tiles, const PlanData& plan, const Tensor& query,
                      const Tensor& key, const Tensor& value, AttentionState& state,
                      DoubtfulRows& doubtful);

}  // namespace foveal
