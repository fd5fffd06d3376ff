// Runs a plan forward: one task a tile of queries of one head.

#include "attention/engine/call.h"
#include "attention/engine/decode.h"
#include "attention/engine/doubtful_rows.h"
#include "attention/engine/engine.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/query_tiles.h"
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
void run_all(const Call<T>& call, const RowStatistics<T>& statistics, DoubtfulRows& doubtful) {
  for_each_query_tile(
      call.plan, [&](const SequencePlan& sequence, const QueryTile& at, const QueryTile& next) {
        run_tile(call, statistics, doubtful, sequence, at, next);
      });
}

template <class T>
AttentionResult forward_as(const PlanData& plan, const Tensor& query, const Tensor& key,
                           const Tensor& value) {
  constexpr DType dtype = dtype_of<T>();
  const Problem& problem = plan.problem;
  Tensor output = TensorBuilder::empty(problem.output_shape(), dtype);
  AttentionResult result;
  if (plan.options.return_lse || needs_second_pass(plan.options)) {
    result.lse = TensorBuilder::empty(problem.row_shape(), dtype);
  }
  result.statistics = RowStatistics<T>::make(plan);
  const RowStatistics<T> statistics(result.statistics);
  DoubtfulRows doubtful;
  if (!plan.decodes_all()) {
    Call<T> call(plan, query, key, value);
    call.output = heads_of<T>(output);
    if (result.lse.defined()) call.lse = result.lse.template data<T>();
    run_all(call, statistics, doubtful);
  }
  if (plan.decodes_any()) run_decodes(plan, query, key, value, output, result.lse, doubtful);
  result.output = output;
  compute_again(plan, query, key, value, doubtful, result);
  result.output = output.to(problem.dtype);
  return result;
}

}  // namespace

AttentionResult run_forward(const PlanData& plan, const Tensor& query, const Tensor& key,
                            const Tensor& value) {
  if (plan.problem.dtype == DType::float64) return forward_as<double>(plan, query, key, value);
  if (plan.half_products()) return run_half_forward(plan, query, key, value);
  if (plan.widens_rows()) return run_wide_forward(plan, query, key, value);
  return forward_as<float>(plan, query, key, value);
}

}  // namespace foveal
