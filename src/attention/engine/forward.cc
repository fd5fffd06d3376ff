// Runs a plan forward: one task a tile of queries of one head.

#include "attention/engine/call.h"
#include "attention/engine/decode.h"
#include "attention/engine/engine.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/workspace.h"
#include "core/thread_pool.h"

namespace foveal {
namespace {

template <class T>
void run_tile(const Call<T>& call, const SequencePlan& sequence, std::int64_t b, std::int64_t h,
              std::int64_t tile) {
  const ForwardKernels<T>& kernels = forward_kernels<T>(*call.plan.target);
  ForwardTask<T> task = call.task(sequence.sequence, b, h, tile);
  task.workspace = workspace<T>(kernels.workspace(task.head_size, task.value_size));
  DropoutCounter dropout;
  task.dropout = call.head_dropout(b, h, dropout);
  kernels.begin(task);
  for_each_key_tile(sequence, b, h, tile, call.plan.query_tile,
                    [&](const KeyTile& keys) { kernels.tile(task, keys); });
  kernels.end(task);
}

template <class T>
void run_all(const Call<T>& call) {
  const Problem& problem = call.plan.problem;
  for (const SequencePlan& sequence : call.plan.sequences) {
    if (sequence.decode) continue;
    const std::int64_t tiles = sequence.query_tiles;
    parallel_for(problem.batch * problem.heads * tiles, [&](std::int64_t index) {
      const std::int64_t head = index / tiles, b = head / problem.heads, h = head % problem.heads;
      const auto& order = sequence.order[static_cast<std::size_t>(sequence.plane(b, h))];
      run_tile(call, sequence, b, h, order[static_cast<std::size_t>(index % tiles)]);
    });
  }
}

template <class T>
AttentionResult run_as(const PlanData& plan, const Tensor& query, const Tensor& key,
                       const Tensor& value) {
  constexpr DType dtype = dtype_of<T>();
  const Problem& problem = plan.problem;
  Tensor output = Tensor::zeros(problem.output_shape(), dtype);
  AttentionResult result;
  if (plan.options.return_lse || needs_second_pass(plan.options)) {
    result.lse = Tensor::zeros(problem.row_shape(), dtype);
  }
  if (!plan.decodes_all()) {
    Call<T> call(plan, query, key, value);
    call.output = heads_of<T>(output);
    if (result.lse.defined()) call.lse = result.lse.template data<T>();
    run_all(call);
  }
  for (const SequencePlan& sequence : plan.sequences) {
    if (sequence.decode) run_decode(plan, sequence, query, key, value, output, result.lse);
  }
  result.output = output.to(problem.dtype);
  return result;
}

}  // namespace

AttentionResult run_forward(const PlanData& plan, const Tensor& query, const Tensor& key,
                            const Tensor& value) {
  if (plan.problem.dtype == DType::float64) return run_as<double>(plan, query, key, value);
  return run_as<float>(plan, query, key, value);
}

}  // namespace foveal
