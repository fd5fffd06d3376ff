#pragma once
// The sequences of a plan with few queries, as one list of tasks: there the queries of all heads
// that share a KV head are rows that go through its keys together.

#include <cstdint>
#include <vector>

namespace foveal {

struct Problem;
struct SequencePlan;

/// Rows of a KV head that one task merges and divides.
constexpr std::int64_t kDecodeFinish = 16;

/// One sequence's share: its tasks, and where their parts lie.
struct DecodeSequence {
  std::size_t sequence = 0;       ///< its place among the plan's
  std::int64_t rows = 0;          ///< of a KV head: query heads in its group times queries
  std::int64_t splits = 0;        ///< of its keys
  bool few = true;                ///< rows: the kernels read K and V once for all of them
  std::int64_t row_tiles = 0;     ///< of the rows
  std::int64_t first_task = 0;    ///< one for each KV head, split and tile of rows
  std::int64_t first_finish = 0;  ///< of those that merge splits; none where there is one split
  std::int64_t first_part = 0;    ///< rows of splits before its own

  std::int64_t tasks_of_group() const { return splits * row_tiles; }
  std::int64_t finishes_of_group() const {
    return splits == 1 ? 0 : (rows + kDecodeFinish - 1) / kDecodeFinish;
  }
};

/// Sequences of one plan are in order, so that tasks, finishes and parts are counted through.
class DecodeList {
 public:
  DecodeList() = default;
  /// `row_tile` rows make a tile.
  DecodeList(const Problem& problem, const std::vector<SequencePlan>& sequences,
             std::int64_t row_tile);

  std::int64_t tasks() const { return tasks_; }
  std::int64_t finishes() const { return finishes_; }
  /// Rows whose splits are to be merged, over all splits.
  std::int64_t parts() const { return parts_; }
  /// Tasks that a thread takes at a time: several where each reads little.
  std::int64_t tasks_at_a_time() const { return tasks_at_a_time_; }
  /// More rows than one task of a decode's kernel takes, in some sequence.
  bool has_row_tiles() const { return has_row_tiles_; }
  const std::vector<DecodeSequence>& sequences() const { return sequences_; }
  const DecodeSequence& of_task(std::int64_t task) const;
  const DecodeSequence& of_finish(std::int64_t finish) const;

 private:
  std::vector<DecodeSequence> sequences_;
  std::int64_t tasks_ = 0, finishes_ = 0, parts_ = 0, tasks_at_a_time_ = 1;
  bool has_row_tiles_ = false;
};

}  // namespace foveal
