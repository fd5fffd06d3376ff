// Partial results over some of the keys: made, merged, finished.

#include <cmath>

#include "attention/engine/call.h"
#include "attention/engine/doubtful_rows.h"
#include "attention/engine/engine.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/query_tiles.h"
#include "attention/engine/state_row.h"
#include "attention/engine/workspace.h"
#include "core/door.h"
#include "core/thread_pool.h"
#include "foveal/error.h"

namespace foveal {
namespace {

template <class T>
AttentionState state_as(const PlanData& plan, const Tensor& query, const Tensor& key,
                        const Tensor& value) {
  constexpr DType dtype = dtype_of<T>();
  const Problem& problem = plan.problem;
  AttentionState state{Tensor::zeros(problem.output_shape(), dtype),
                       Tensor::full(problem.row_shape(), -INFINITY, dtype),
                       Tensor::zeros(problem.row_shape(), dtype)};
  Call<T> call(plan, query, key, value);
  call.output = heads_of<T>(state.output);
  T* const maximum = state.maximum.template data<T>();
  T* const sum = state.sum.template data<T>();
  const ForwardKernels<T>& kernels = forward_kernels<T>(*plan.target);
  DoubtfulRows doubtful;
  for_each_query_tile(
      plan, plan.all, [&](const SequencePlan& sequence, const QueryTile& at, const QueryTile&) {
        ForwardTask<T> task = call.task(sequence.sequence, at.b, at.h, at.tile);
        const std::int64_t row = call.row(sequence.sequence, at.b, at.h, at.tile);
        task.maximum = maximum + row;
        task.sum = sum + row;
        task.slack = 0;  // m is to be the row's maximum itself
        task.workspace = workspace<T>(kernels.workspace(task.head_size, task.value_size));
        DropoutCounter dropout;
        task.dropout = call.head_dropout(sequence.sequence, at.b, at.h, dropout);
        const std::uint64_t wrong = run_forward_tile(kernels, task, sequence, at.b, at.h, at.tile,
                                                     kernels.end_state, [](const KeyTile&) {});
        doubtful.add({&sequence, at.b, at.h, at.tile, wrong});
      });
  compute_again(plan, query, key, value, doubtful, state);
  return state;
}

void check_part(const Tensor& tensor, const char* part, const Shape& shape, DType dtype,
                const std::string& function) {
  if (!tensor.defined()) {
    throw Error(function + ": " + part + " is undefined: give what attention_state returned");
  }
  if (tensor.shape() != shape || tensor.dtype() != dtype) {
    throw Error(function + ": " + part + " has shape " + to_string(tensor.shape()) + " and dtype " +
                to_string(tensor.dtype()) + ": it must have " + to_string(shape) + " and " +
                to_string(dtype));
  }
}

/// Checks the parts against one another; `function` and `state` stand in errors.
void check_state(const AttentionState& state, const std::string& function) {
  const Tensor& output = state.output;
  if (!output.defined() || output.rank() != 4 ||
      (output.dtype() != DType::float32 && output.dtype() != DType::float64)) {
    throw Error(function + ": output must be float32 or float64 (B, H, L_q, D_v): give what " +
                "attention_state returned");
  }
  const Shape rows(output.shape().begin(), output.shape().end() - 1);
  check_part(state.maximum, "maximum", rows, output.dtype(), function);
  check_part(state.sum, "sum", rows, output.dtype(), function);
}

/// work(row) for each row, a few dozen a task.
template <class Work>
void for_each_row(std::int64_t rows, const Work& work) {
  constexpr std::int64_t kRows = 64;
  parallel_for((rows + kRows - 1) / kRows, [&](std::int64_t task) {
    const std::int64_t stop = std::min(rows, (task + 1) * kRows);
    for (std::int64_t row = task * kRows; row < stop; ++row) work(row);
  });
}

template <class T>
AttentionState merge_as(const AttentionState& a, const AttentionState& b) {
  AttentionState result{Tensor::zeros(a.output.shape(), dtype_of<T>()),
                        Tensor::zeros(a.maximum.shape(), dtype_of<T>()),
                        Tensor::zeros(a.maximum.shape(), dtype_of<T>())};
  const std::int64_t rows = a.maximum.element_count(), size = a.output.size(3);
  const T* const a_output = a.output.data<T>();
  const T* const b_output = b.output.data<T>();
  T* const output = result.output.template data<T>();
  T* const maximum = result.maximum.template data<T>();
  T* const sum = result.sum.template data<T>();
  for_each_row(rows, [&](std::int64_t row) {
    const double ma = a.maximum.data<T>()[row], mb = b.maximum.data<T>()[row];
    const double top = ma > mb || std::isnan(ma) ? ma : mb;
    // A side that has seen nothing adds nothing: -inf minus -inf would be NaN.
    const double fa = ma == -INFINITY ? 0 : std::exp(ma - top);
    const double fb = mb == -INFINITY ? 0 : std::exp(mb - top);
    const double both = a.sum.data<T>()[row] * fa + b.sum.data<T>()[row] * fb;
    const auto whole = [&](std::int64_t d) {
      return a_output[row * size + d] * fa + b_output[row * size + d] * fb;
    };
    write_state_row(whole, size, top, both, output + row * size, maximum[row], sum[row]);
  });
  return result;
}

template <class T>
AttentionResult finish_as(const AttentionState& state) {
  AttentionResult result;
  result.output = Tensor::zeros(state.output.shape(), dtype_of<T>());
  result.lse = Tensor::zeros(state.maximum.shape(), dtype_of<T>());
  const std::int64_t rows = state.maximum.element_count(), size = state.output.size(3);
  const T* const from = state.output.data<T>();
  T* const output = result.output.template data<T>();
  T* const lse = result.lse.template data<T>();
  for_each_row(rows, [&](std::int64_t row) {
    const double sum = state.sum.data<T>()[row];
    lse[row] = static_cast<T>(state.maximum.data<T>()[row] + std::log(sum));
    for (std::int64_t d = row * size; d < (row + 1) * size; ++d) {
      output[d] = sum == 0 ? 0 : static_cast<T>(from[d] / sum);
    }
  });
  return result;
}

AttentionState dense(const AttentionState& state) {
  return {state.output.contiguous(), state.maximum.contiguous(), state.sum.contiguous()};
}

}  // namespace

AttentionState run_state(const PlanData& plan, const Tensor& query, const Tensor& key,
                         const Tensor& value) {
  if (plan.problem.dtype == DType::float64) return state_as<double>(plan, query, key, value);
  return state_as<float>(plan, query, key, value);
}

AttentionState merge(const AttentionState& a, const AttentionState& b) try {
  check_state(a, "merge, a");
  check_state(b, "merge, b");
  if (a.output.shape() != b.output.shape() || a.output.dtype() != b.output.dtype()) {
    throw Error("merge: b has output " + to_string(b.output.shape()) + " of " +
                to_string(b.output.dtype()) + " but a has " + to_string(a.output.shape()) + " of " +
                to_string(a.output.dtype()) + ": they must match");
  }
  if (a.output.dtype() == DType::float64) return merge_as<double>(dense(a), dense(b));
  return merge_as<float>(dense(a), dense(b));
} catch (...) {
  rethrow_as_error("merge");
}

AttentionResult finish(const AttentionState& state) try {
  check_state(state, "finish");
  return state.output.dtype() == DType::float64 ? finish_as<double>(dense(state))
                                                : finish_as<float>(dense(state));
} catch (...) {
  rethrow_as_error("finish");
}

}  // namespace foveal
