#include "attention/plan/key_blocks.h"

#include <algorithm>
#include <array>
#include <map>

namespace foveal {
namespace {

constexpr std::int64_t kBlockTiles = 1024 / kPlanKeyTile;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Whether the bias has an axis of its own, counted from the right.
bool bias_has(const AttentionOptions& options, std::int64_t axis) {
  return options.bias.rank() >= axis && options.bias.size(-axis) != 1;
}

/// Of what each batch entry, head or block has its own gradient of a bias to add to.
struct BiasAxes {
  bool by_batch, by_head, by_part;

  explicit BiasAxes(const PlanData& plan) {
    const AttentionOptions& options = plan.options;
    const bool bias = options.gradients.bias;
    by_batch = !bias || bias_has(options, 4);
    by_head = !bias || bias_has(options, 3);
    // Packed sequences all begin at the bias's first row and key.
    by_part = !bias || (bias_has(options, 1) && plan.sequences.size() == 1);
  }
  bool narrow() const { return !by_batch || !by_head; }
};

/// The blocks of one sequence for batch entry 0 and KV head 0.
std::vector<KeyBlock> cut(const SequencePlan& sequence, bool narrow) {
  const std::int64_t tiles = divide_up(sequence.sequence.key_length, kPlanKeyTile);
  const std::int64_t wanted = divide_up(tiles, narrow ? 1 : kBlockTiles);
  const std::int64_t width = divide_up(tiles, std::clamp<std::int64_t>(wanted, 1, kMostKeyBlocks));
  std::vector<KeyBlock> blocks;
  for (std::int64_t first = 0; first < tiles; first += width) {
    KeyBlock block;
    block.sequence = &sequence;
    block.index = static_cast<std::int64_t>(blocks.size());
    block.first_tile = first;
    block.last_tile = std::min(first + width, tiles);
    blocks.push_back(block);
  }
  return blocks;
}

/// The blocks of every sequence for batch entry 0 and KV head 0, numbered as parts.
std::vector<KeyBlock> cut_all(const PlanData& plan, bool narrow, KeyBlocks& result) {
  std::vector<KeyBlock> blocks;
  for (const SequencePlan& sequence : plan.sequences) {
    for (KeyBlock& block : cut(sequence, narrow)) {
      block.part = result.parts++;
      result.most_blocks = std::max(result.most_blocks, block.index + 1);
      blocks.push_back(block);
    }
  }
  return blocks;
}

}  // namespace

KeyBlocks key_blocks(const PlanData& plan) {
  const BiasAxes apart(plan);
  KeyBlocks result;
  const std::vector<KeyBlock> blocks = cut_all(plan, apart.narrow(), result);
  if (plan.problem.kv_heads == 0) return result;
  std::map<std::array<std::int64_t, 3>, std::vector<KeyBlock>> chains;
  for (std::int64_t b = 0; b < plan.problem.batch; ++b) {
    for (std::int64_t kv = 0; kv < plan.problem.kv_heads; ++kv) {
      for (KeyBlock block : blocks) {
        const Sequence& sequence = block.sequence->sequence;
        if (b < sequence.first_entry || b >= sequence.last_entry()) continue;
        block.b = b;
        block.kv = kv;
        chains[{apart.by_batch ? b : 0, apart.by_head ? kv : 0, apart.by_part ? block.part : 0}]
            .push_back(block);
      }
    }
  }
  for (auto& [key, chain] : chains) result.chains.push_back(std::move(chain));
  return result;
}

KeyBlockSizes key_block_sizes(const PlanData& plan) {
  KeyBlocks counted;
  KeyBlockSizes sizes;
  for (const KeyBlock& block : cut_all(plan, BiasAxes(plan).narrow(), counted)) {
    sizes.widest = std::max(sizes.widest, block.key_count());
  }
  sizes.most_blocks = counted.most_blocks;
  return sizes;
}

}  // namespace foveal
