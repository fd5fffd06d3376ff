// Runs a plan forward: one task a tile of queries of one head.

#include "attention/engine/call.h"
#include "attention/engine/decode.h"
#include "attention/engine/doubtful_rows.h"
#include "attention/engine/engine.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/query_tiles.h"
#include "attention/engine/results.h"
#include "attention/engine/row_statistics.h"
#include "attention/engine/workspace.h"
#include "kernels/prefetch.h"
#include "tensor/builder.h"

namespace foveal {
namespace {

/// Asks, a few rows with each tile of keys, for the next task's queries: all at once they would
/// hold up the kernels' own reads. What is written is not asked for: it was slower.
template <class T>
class Upcoming {
 public:
  Upcoming(const ForwardTask<T>& later, std::int64_t key_length) : later_(later) {
    constexpr std::int64_t kMostSteps = 4;
    const std::int64_t tiles = (key_length + kPlanKeyTile - 1) / kPlanKeyTile;
    const std::int64_t steps = std::clamp<std::int64_t>(tiles, 1, kMostSteps);
    rows_ = (later.query_count + steps - 1) / steps;
  }

  void ask() {
    const std::int64_t left = std::clamp<std::int64_t>(later_.query_count - first_, 0, rows_);
    prefetch_rows(later_.query + first_ * later_.query_stride, later_.query_stride, left,
                  later_.head_size);
    first_ += rows_;
  }

 private:
  const ForwardTask<T>& later_;
  std::int64_t rows_ = 0, first_ = 0;
};

template <class T>
void run_tile(const Call<T>& call, const RowStatistics<T>& statistics, DoubtfulRows& doubtful,
              const SequencePlan& sequence, const QueryTile& at, const QueryTile& next) {
  const auto& [b, h, tile, first] = at;
  const ForwardKernels<T>& kernels = forward_kernels<T>(*call.plan.target);
  ForwardTask<T> task = call.task(sequence.sequence, b, h, tile);
  task.workspace = workspace<T>(kernels.workspace(task.head_size, task.value_size));
  task.keys_are_new = first || bytes_of_keys<T>(task, sequence) > kernels.kept_bytes;
  DropoutCounter dropout;
  task.dropout = call.head_dropout(sequence.sequence, b, h, dropout);
  if (gathers_rows(call.plan.options)) {
    task.observation =
        statistics.of(call.row(sequence.sequence, b, h, tile), sequence.sequence.first_key);
  }
  const ForwardTask<T> later = call.task(sequence.sequence, next.b, next.h, next.tile);
  Upcoming<T> upcoming(later, sequence.sequence.key_length);
  doubtful.add({&sequence, b, h, tile,
                run_forward_tile(kernels, task, sequence, b, h, tile, kernels.end,
                                 [&](const KeyTile&) { upcoming.ask(); })});
}

template <class T>
void forward_as(const PlanData& plan, const CallInputs& inputs, AttentionResult& result) {
  constexpr DType dtype = dtype_of<T>();
  // 16 bits that are widened whole: what comes out is rounded at the end.
  AttentionResult wide = result;
  if (result.output.dtype() != dtype) {
    wide.output = TensorBuilder::empty(plan.problem.output_shape(), dtype);
  }
  wide.statistics = RowStatistics<T>::make(plan);
  const RowStatistics<T> statistics(wide.statistics);
  DoubtfulRows doubtful;
  Call<T> call(plan, inputs.query, inputs.key, inputs.value);
  call.output = heads_of<T>(wide.output);
  if (wide.lse.defined()) call.lse = row_numbers_of<T>(wide.lse);
  const auto run = [&](const SequencePlan& sequence, const QueryTile& at, const QueryTile& next) {
    run_tile(call, statistics, doubtful, sequence, at, next);
  };
  const QueryTileTasks tiles(plan, plan.tiled, run);
  run_with_decodes(TileTasks(tiles), plan, inputs.query, inputs.key, inputs.value, wide, doubtful);
  compute_again(plan, inputs.query, inputs.key, inputs.value, doubtful, wide);
  if (result.output.dtype() != dtype) result.output.copy_(wide.output);
  give_statistics(result.statistics, wide.statistics);
}

void decode_all(const PlanData& plan, const CallInputs& inputs, AttentionResult& result) {
  DoubtfulRows doubtful;
  run_with_decodes({}, plan, inputs.query, inputs.key, inputs.value, result, doubtful);
  compute_again(plan, inputs.query, inputs.key, inputs.value, doubtful, result);
}

}  // namespace

void run_forward(const PlanData& plan, const CallInputs& inputs, AttentionResult& result) {
  if (plan.decodes_all()) return decode_all(plan, inputs, result);
  if (plan.problem.dtype == DType::float64) return forward_as<double>(plan, inputs, result);
  if (plan.pair_products()) return run_pair_forward(plan, inputs, result);
  if (plan.widens_rows()) return run_wide_forward(plan, inputs, result);
  forward_as<float>(plan, inputs, result);
}

}  // namespace foveal
