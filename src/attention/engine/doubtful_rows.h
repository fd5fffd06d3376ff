#pragma once
// Rows that the kernels may have got wrong, computed again from their scores in float64: something
// overflowed on the way, though the formula may give a number.

#include <mutex>
#include <vector>

#include "attention/plan/plan_data.h"

namespace foveal {

/// The rows of one tile of queries, a bit each.
struct DoubtfulTile {
  const SequencePlan* sequence = nullptr;
  std::int64_t b = 0, h = 0, tile = 0;
  std::uint64_t rows = 0;
};

/// Collects them from any thread.
class DoubtfulRows {
 public:
  void add(const DoubtfulTile& tile) {
    if (tile.rows == 0) return;
    const std::lock_guard lock(mutex_);
    tiles_.push_back(tile);
  }
  const std::vector<DoubtfulTile>& tiles() const { return tiles_; }

 private:
  std::mutex mutex_;
  std::vector<DoubtfulTile> tiles_;
};

/// Writes the rows of `doubtful` again into what `result` holds of output (of the query's dtype, or
/// of the one that is computed in), lse, and the statistics that a first pass gathers.
void compute_again(const PlanData& plan, const Tensor& query, const Tensor& key,
                   const Tensor& value, const DoubtfulRows& doubtful, AttentionResult& result);

/// The same for a state.
void compute_again(const PlanData& plan, const Tensor& query, const Tensor& key,
                   const Tensor& value, const DoubtfulRows& doubtful, AttentionState& state);

}  // namespace foveal
