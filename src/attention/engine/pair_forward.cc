// The forward of bfloat16 where the target multiplies bfloat16: the tensors are read where they
// lie.

#include <algorithm>

#include "attention/engine/call.h"
#include "attention/engine/decode.h"
#include "attention/engine/doubtful_rows.h"
#include "attention/engine/engine.h"
#include "attention/engine/kept_head.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/packed_rows.h"
#include "attention/engine/query_tiles.h"
#include "attention/engine/workspace.h"
#include "core/thread_memory.h"
#include "kernels/prefetch.h"

namespace foveal {
namespace {

struct PairCall : Terms<float>, BFloat16Arrays {
  std::uint64_t number = next_call();

  PairCall(const PlanData& the_plan, const Tensor& q, const Tensor& k, const Tensor& v,
           const Tensor& o)
      : Terms<float>(the_plan), BFloat16Arrays(q, k, v, o) {}

  /// One tile of queries of one head, but for its workspace and dropout.
  PairTask task(const Sequence& sequence, std::int64_t b, std::int64_t h, std::int64_t tile) const {
    PairTask task;
    Terms<float>::fill(task, sequence, b, h, tile);
    BFloat16Arrays::fill(task, sequence, b, h, plan.problem.kv_head(h));
    return task;
  }
};

/// V of the KV head that this thread works on, in pairs: most tasks find it made by the one before.
class PairedValues {
 public:
  /// For the tasks of one KV head of a sequence; nothing where it would outgrow the caches.
  PairValues of(const PairCall& call, const SequencePlan& sequence, std::int64_t b,
                std::int64_t kv) {
    constexpr std::int64_t kMostNumbers = 1 << 20;
    const std::int64_t size = call.plan.problem.value_size;
    const std::int64_t tiles = (sequence.sequence.key_length + kPlanKeyTile - 1) / kPlanKeyTile;
    const std::int64_t numbers = tiles * kPlanKeyTile / 2 * size;
    if (numbers > kMostNumbers) return {};
    const auto bytes = static_cast<std::size_t>(numbers) * sizeof(std::uint32_t) +
                       static_cast<std::size_t>(tiles) * (sizeof(std::uint64_t) + sizeof(bool));
    const ThreadBlock block = thread_block(Kept::value_pairs, bytes);
    auto* const pairs = static_cast<std::uint32_t*>(block.data);
    auto* const not_finite = reinterpret_cast<std::uint64_t*>(pairs + numbers);
    auto* const made = reinterpret_cast<bool*>(not_finite + tiles);
    if (kept_.changes_to({call.number, &sequence, b, kv}, block.fresh)) {
      std::fill_n(made, tiles, false);
    }
    return {pairs, not_finite, made};
  }

 private:
  KeptHead kept_;
};

/// K of the KV head that this thread works on, its rows side by side.
class PackedKeys {
 public:
  /// Gives a task of the head a copy where that pays.
  void place(PairTask& task, const PairCall& call, const SequencePlan& sequence, std::int64_t b,
             std::int64_t kv) {
    const std::int64_t count = sequence.sequence.key_length, size = task.head_size;
    const std::size_t bytes = static_cast<std::size_t>(count * size) * sizeof(std::uint16_t);
    if (task.key_stride == size || bytes == 0 || bytes > kMostPackedBytes) return;
    const HeadOfCall head{call.number, &sequence, b, kv};
    if (judged_.changes_to(head, false)) {
      const std::int64_t tiles = (count + kPlanKeyTile - 1) / kPlanKeyTile;
      pays_ = pays_to_pack(readers_of(call.plan, sequence, b, kv, 0, tiles));
    }
    if (!pays_) return;
    const ThreadBlock block = thread_block(Kept::packed_keys, bytes);
    auto* const rows = static_cast<std::uint16_t*>(block.data);
    if (kept_.changes_to(head, block.fresh)) {
      pack_rows(task.bfloat16_key, task.key_stride, count, size, rows);
    }
    task.bfloat16_key = rows;
    task.key_stride = size;
  }

 private:
  KeptHead judged_, kept_;
  bool pays_ = false;  // for the head that was judged last
};

void run_tile(const PairCall& call, DoubtfulRows& doubtful, const SequencePlan& sequence,
              const QueryTile& at, const QueryTile& next) {
  const auto& [b, h, tile, first] = at;
  const PairForwardKernels& kernels = call.plan.target->forward_bfloat16;
  PairTask task = call.task(sequence.sequence, b, h, tile);
  task.workspace = workspace<float>(kernels.workspace(task.head_size, task.value_size));
  task.keys_are_new = first;
  DropoutCounter dropout;
  task.dropout = call.head_dropout(sequence.sequence, b, h, dropout);
  thread_local PairedValues values;
  task.values = values.of(call, sequence, b, call.plan.problem.kv_head(h));
  thread_local PackedKeys keys;
  keys.place(task, call, sequence, b, call.plan.problem.kv_head(h));
  kernels.begin(task);
  const PairTask later = call.task(sequence.sequence, next.b, next.h, next.tile);
  prefetch_rows(later.bfloat16_query, later.query_stride, later.query_count, later.head_size);
  for_each_key_tile(task, sequence, b, h, tile, call.plan.query_tile,
                    [&](const KeyTile& met) { kernels.tile(task, met); });
  doubtful.add({&sequence, b, h, tile, kernels.end(task)});
}

}  // namespace

void run_pair_forward(const PlanData& plan, const CallInputs& inputs, AttentionResult& result) {
  const auto& [query, key, value] = inputs;
  DoubtfulRows doubtful;
  PairCall call(plan, query, key, value, result.output);
  if (result.lse.defined()) call.lse = row_numbers_of<float>(result.lse);
  const auto run = [&](const SequencePlan& sequence, const QueryTile& at, const QueryTile& next) {
    run_tile(call, doubtful, sequence, at, next);
  };
  const QueryTileTasks tiles(plan, plan.tiled, run);
  run_with_decodes(TileTasks(tiles), plan, query, key, value, result, doubtful);
  compute_again(plan, query, key, value, doubtful, result);
}

}  // namespace foveal
