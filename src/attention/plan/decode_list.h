#pragma once
// The decoded sequences of a plan as one list of tasks: splits of their keys, then merging.

#include <cstdint>
#include <vector>

namespace foveal {

struct Problem;
struct SequencePlan;

/// One sequence's share of a decode: its tasks, and where their parts lie.
struct DecodeSequence {
  std::size_t sequence = 0;      ///< its place among the plan's
  std::int64_t rows = 0;         ///< of a KV head: query heads in its group times queries
  std::int64_t splits = 0;       ///< of its keys
  std::int64_t first_task = 0;   ///< of those that run splits
  std::int64_t first_group = 0;  ///< of those that merge them, one a KV head of an entry
  std::int64_t first_part = 0;   ///< rows of splits before its own
};

/// Sequences of one plan are in order, so that tasks, groups and parts are counted through.
class DecodeList {
 public:
  DecodeList() = default;
  DecodeList(const Problem& problem, const std::vector<SequencePlan>& sequences);

  std::int64_t tasks() const { return tasks_; }
  std::int64_t groups() const { return groups_; }
  std::int64_t parts() const { return parts_; }
  const DecodeSequence& of_task(std::int64_t task) const;
  const DecodeSequence& of_group(std::int64_t group) const;

 private:
  std::vector<DecodeSequence> sequences_;
  std::int64_t tasks_ = 0, groups_ = 0, parts_ = 0;
};

}  // namespace foveal
