#pragma once
// The keys cut into blocks: the tasks of the backward, and what order they must keep.

#include <algorithm>
#include <vector>

#include "attention/plan/plan_data.h"

namespace foveal {

constexpr std::int64_t kMostKeyBlocks = 8;

/// One block of keys of one KV head. Its tasks are told apart by lengths alone.
struct KeyBlock {
  const SequencePlan* sequence = nullptr;
  std::int64_t b = 0, kv = 0;
  std::int64_t index = 0;                      ///< of the sequence's blocks
  std::int64_t part = 0;                       ///< of all the sequences' blocks
  std::int64_t first_tile = 0, last_tile = 0;  ///< of keys

  std::int64_t first_key() const { return first_tile * kPlanKeyTile; }
  std::int64_t key_count() const {
    return std::min(last_tile * kPlanKeyTile, sequence->sequence.key_length) - first_key();
  }
};

struct KeyBlocks {
  /// Blocks of one chain run one after another, in this order; chains run side by side.
  std::vector<std::vector<KeyBlock>> chains;
  std::int64_t parts = 0;        ///< blocks of one head, over all sequences
  std::int64_t most_blocks = 0;  ///< of one sequence
};

/// Blocks of about 1024 keys; at most eight a sequence, wider ones for longer keys. Where blocks
/// add to the same elements of a bias's gradient they form a chain; the blocks are narrower then,
/// so that there are chains enough.
KeyBlocks key_blocks(const PlanData& plan);

/// What the blocks ask of memory, without listing them.
struct KeyBlockSizes {
  std::int64_t most_blocks = 0;  ///< of one sequence
  std::int64_t widest = 0;       ///< keys
};

KeyBlockSizes key_block_sizes(const PlanData& plan);

}  // namespace foveal
