#pragma once
// What a plan holds: the checked problem, the target, and each sequence's mask cut into tiles.

#include "attention/mask/tiles.h"
#include "attention/plan/decode_list.h"
#include "attention/plan/sequence.h"
#include "attention/plan/work_list.h"
#include "foveal/plan.h"
#include "kernels/targets/target.h"

namespace foveal {

/// Keys of one tile of the kernels, whatever the target.
constexpr std::int64_t kPlanKeyTile = 64;

/// Keys of one split of a decode, the task of one thread. From the lengths alone, so that bits
/// depend on nothing else.
constexpr std::int64_t kDecodeSplit = 2048;

/// At least one, which a row without keys has too.
constexpr std::int64_t decode_splits(std::int64_t keys) {
  return keys == 0 ? 1 : (keys + kDecodeSplit - 1) / kDecodeSplit;
}

/// One sequence and its mask.
struct SequencePlan {
  Sequence sequence;
  std::shared_ptr<const BoundMask> mask;
  std::int64_t query_tiles = 0;
  bool decode = false;  ///< so few queries that they go through the keys together
  /// Runs of key tiles, for each plane of the mask and each tile of queries.
  std::vector<std::vector<TileRun>> runs;
  /// For each plane, the tiles of queries, heaviest first.
  std::vector<std::vector<std::int64_t>> order;

  std::int64_t plane(std::int64_t b, std::int64_t h) const {
    const std::int64_t heads = mask->varies_by_head() ? mask->shape().heads : 1;
    const std::int64_t entry = mask->varies_by_batch() ? b - sequence.first_entry : 0;
    return entry * heads + (mask->varies_by_head() ? h : 0);
  }
  const std::vector<TileRun>& runs_of(std::int64_t b, std::int64_t h, std::int64_t tile) const {
    return runs[static_cast<std::size_t>(plane(b, h) * query_tiles + tile)];
  }
};

struct PlanData {
  Problem problem;
  AttentionOptions options;
  const Target* target = nullptr;
  std::int64_t query_tile = 0;
  std::vector<SequencePlan> sequences;
  WorkList tiled;  ///< of the sequences that aren't decoded
  DecodeList decoded;
  WorkList all;  ///< of all: what the second pass and the backward walk
  PlanFingerprint fingerprint;
  std::int64_t most_keys = 0;  ///< L_k that the plan was made for: set_lengths stays within it

  /// Whether every sequence is a decode.
  bool decodes_all() const;
  /// Whether some sequence is.
  bool decodes_any() const;
  /// Whether bfloat16 is multiplied as it is, forward and backward; else it is widened to float32.
  bool pair_products() const;
  /// Whether each thread widens 16 bits for itself, a KV head at a time; else whole tensors are.
  bool widens_rows() const;
};

/// The plan for these shapes, before a Plan holds it; for `target`, or, null, the one that the
/// options say.
std::shared_ptr<PlanData> make_plan(const Shape& query, const Shape& key, const Shape& value,
                                    DType dtype, const AttentionOptions& options,
                                    const Target* target = nullptr);

/// The work of a plan, counted exactly over batch and heads.
struct Work {
  std::int64_t needed_pairs = 0;    ///< (query, key) pairs that the mask shows
  std::int64_t computed_pairs = 0;  ///< those of the tiles that are walked
  std::int64_t all_pairs = 0;       ///< without a mask
};

Work count_work(const PlanData& plan);

/// The second pass cuts a sequence's tiles of queries into this many pieces at most, one task each.
/// A piece sums column mass on its own, so the number may not depend on the threads.
constexpr std::int64_t kStatisticsPieces = 8;

/// Bytes of what a run returns. Numbers here are float64, which no size can overflow.
double result_bytes(const PlanData& plan);

/// Bytes that a run takes besides its results, on `threads` threads.
double workspace_bytes(const PlanData& plan, int threads);

/// Bytes that attention_backward takes besides the gradients, on `threads` threads.
double backward_bytes(const PlanData& plan, int threads);

}  // namespace foveal
