// Partial results over some of the keys: made, merged, finished.

#include <cmath>

#include "attention/engine/call.h"
#include "attention/engine/decode.h"
#include "attention/engine/doubtful_rows.h"
#include "attention/engine/engine.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/query_tiles.h"
#include "attention/engine/state_row.h"
#include "attention/engine/workspace.h"
#include "core/door.h"
#include "core/thread_pool.h"
#include "foveal/error.h"
#include "tensor/builder.h"
#include "tensor/wide_rows.h"

namespace foveal {
namespace {

template <class T>
void run_tile(const Call<T>& call, const RowNumbers<T>& maxima, const RowNumbers<T>& sums,
              DoubtfulRows& doubtful, const SequencePlan& sequence, const QueryTile& at) {
  const ForwardKernels<T>& kernels = forward_kernels<T>(*call.plan.target);
  ForwardTask<T> task = call.task(sequence.sequence, at.b, at.h, at.tile);
  const std::int64_t row = sequence.sequence.first_query + task.first_query;
  task.maximum = maxima.row(at.b, at.h, row);
  task.sum = sums.row(at.b, at.h, row);
  task.slack = 0;  // m is to be the row's maximum itself
  task.workspace = workspace<T>(kernels.workspace(task.head_size, task.value_size));
  DropoutCounter dropout;
  task.dropout = call.head_dropout(sequence.sequence, at.b, at.h, dropout);
  const std::uint64_t wrong = run_forward_tile(kernels, task, sequence, at.b, at.h, at.tile,
                                               kernels.end_state, [](const KeyTile&) {});
  doubtful.add({&sequence, at.b, at.h, at.tile, wrong});
}

/// The caller's tensor, counted as written, or one whose numbers are still to be written.
void take_or_make(Tensor& tensor, const Shape& shape, DType dtype) {
  if (tensor.defined()) {
    count_write(tensor);
  } else {
    tensor = TensorBuilder::empty(shape, dtype);
  }
}

template <class T>
void state_as(const PlanData& plan, const CallInputs& inputs, AttentionState& state) {
  const auto& [query, key, value] = inputs;
  constexpr DType dtype = dtype_of<T>();
  const Problem& problem = plan.problem;
  take_or_make(state.output, problem.output_shape(), dtype);
  take_or_make(state.maximum, problem.row_shape(), dtype);
  take_or_make(state.sum, problem.row_shape(), dtype);
  DoubtfulRows doubtful;
  if (plan.decodes_all()) {
    run_with_decodes({}, plan, query, key, value, state, doubtful);
  } else {
    Call<T> call(plan, query, key, value);
    call.output = heads_of<T>(state.output);
    const RowNumbers<T> maxima = row_numbers_of<T>(state.maximum),
                        sums = row_numbers_of<T>(state.sum);
    const auto run = [&](const SequencePlan& sequence, const QueryTile& at, const QueryTile&) {
      run_tile(call, maxima, sums, doubtful, sequence, at);
    };
    const QueryTileTasks tiles(plan, plan.tiled, run);
    run_with_decodes(TileTasks(tiles), plan, query, key, value, state, doubtful);
  }
  compute_again(plan, query, key, value, doubtful, state);
}

/// What is given to be written, and the memory for the rest.
void prepare_state(const PlanData& plan, const CallInputs& inputs, const AttentionState& state,
                   const char* function) {
  const auto& [b, h, kv, l_q, l_k, d, d_v, dtype] = plan.problem;
  const DType sums = wide_dtype(dtype);
  const WrittenTensor written[] = {{"state.output", &state.output, true, {b, h, l_q, d_v}, 4, sums},
                                   {"state.maximum", &state.maximum, true, {b, h, l_q}, 3, sums},
                                   {"state.sum", &state.sum, true, {b, h, l_q}, 3, sums}};
  check_written(written, tensors_read(plan, inputs), {}, function);
  require_memory(bytes_to_make(written), workspace_bytes(plan, threads_of_call()), function);
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

/// A state's numbers where they lie.
template <class T>
struct StateRows {
  Heads<T> output;
  RowNumbers<T> maximum, sum;

  explicit StateRows(const AttentionState& state)
      : output(heads_of<T>(state.output)),
        maximum(row_numbers_of<T>(state.maximum)),
        sum(row_numbers_of<T>(state.sum)) {}
};

/// Both into `to`, which may be `a`: each number is read before it is written.
template <class T>
void merge_rows(const AttentionState& a, const AttentionState& b, AttentionState& to) {
  const StateRows<T> left(a), right(b), result(to);
  const Shape& shape = a.maximum.shape();
  const std::int64_t size = a.output.size(3);
  for_each_row(a.maximum.element_count(), [&](std::int64_t row) {
    const std::int64_t i = row % shape[2], head = row / shape[2];
    const std::int64_t at = head / shape[1], h = head % shape[1];
    const double ma = *left.maximum.row(at, h, i), mb = *right.maximum.row(at, h, i);
    const double top = ma > mb || std::isnan(ma) ? ma : mb;
    // A side that has seen nothing adds nothing: -inf minus -inf would be NaN.
    const double fa = ma == -INFINITY ? 0 : std::exp(ma - top);
    const double fb = mb == -INFINITY ? 0 : std::exp(mb - top);
    const double both = *left.sum.row(at, h, i) * fa + *right.sum.row(at, h, i) * fb;
    const T* const a_output = left.output.row(at, h, i);
    const T* const b_output = right.output.row(at, h, i);
    const auto whole = [&](std::int64_t d) { return a_output[d] * fa + b_output[d] * fb; };
    write_state_row(whole, size, top, both, result.output.row(at, h, i),
                    *result.maximum.row(at, h, i), *result.sum.row(at, h, i));
  });
}

template <class T, class Output>
void finish_rows(const AttentionState& state, const AttentionResult& result) {
  const StateRows<T> from(state);
  const Heads<Output> output = heads_of<Output>(result.output);
  const RowNumbers<T> lse = row_numbers_of<T>(result.lse);
  const Shape& shape = state.maximum.shape();
  const std::int64_t size = state.output.size(3);
  for_each_row(state.maximum.element_count(), [&](std::int64_t row) {
    const std::int64_t i = row % shape[2], head = row / shape[2];
    const std::int64_t b = head / shape[1], h = head % shape[1];
    const double sum = *from.sum.row(b, h, i);
    *lse.row(b, h, i) = static_cast<T>(*from.maximum.row(b, h, i) + std::log(sum));
    const T* const numbers = from.output.row(b, h, i);
    Output* const to = output.row(b, h, i);
    for (std::int64_t d = 0; d < size; ++d) {
      to[d] = static_cast<Output>(sum == 0 ? T{0} : static_cast<T>(numbers[d] / sum));
    }
  });
}

template <class T>
void finish_as(const AttentionState& state, const AttentionResult& result) {
  switch (result.output.dtype()) {
    case DType::float32:
      return finish_rows<T, float>(state, result);
    case DType::float64:
      return finish_rows<T, double>(state, result);
    case DType::bfloat16:
      return finish_rows<T, BFloat16>(state, result);
    default:
      return finish_rows<T, Float16>(state, result);
  }
}

AttentionState with_unit_rows(const AttentionState& state) {
  return {unit_rows(state.output), unit_rows(state.maximum), unit_rows(state.sum)};
}

void require_floating(DType dtype, const std::string& what) {
  if (is_floating(dtype)) return;
  throw Error(what + " is " + to_string(dtype) +
              ": it must be float32, float64, bfloat16 or float16");
}

/// What is given to be written.
void check_finished(const AttentionState& state, const AttentionResult& result,
                    const char* function) {
  const Statistics& s = result.statistics;
  const auto like = WrittenTensor::shaped_like;
  WrittenTensor output = like(state.output, "output", result.output, true);
  if (result.output.defined()) {
    output.dtype = result.output.dtype();
    require_floating(output.dtype, std::string(function) + ": output's dtype");
  }
  const auto unasked = [&](const char* name, const Tensor& tensor) {
    return like({}, name, tensor, false);
  };
  const WrittenTensor written[] = {output,
                                   like(state.maximum, "lse", result.lse, true),
                                   unasked("weights", result.weights),
                                   unasked("statistics.top_k_keys", s.top_k_keys),
                                   unasked("statistics.top_k_weights", s.top_k_weights),
                                   unasked("statistics.entropy", s.entropy),
                                   unasked("statistics.maximum", s.maximum),
                                   unasked("statistics.column_mass", s.column_mass),
                                   unasked("statistics.rows", s.rows)};
  const NamedTensor read[] = {{"state.output", &state.output},
                              {"state.maximum", &state.maximum},
                              {"state.sum", &state.sum}};
  check_written(written, read, {"result.", "attention(), over all keys: a state has none"},
                function);
}

void check_mergeable(const AttentionState& a, const AttentionState& b,
                     const std::string& function) {
  check_state(a, function + ", a");
  check_state(b, function + ", b");
  if (a.output.shape() == b.output.shape() && a.output.dtype() == b.output.dtype()) return;
  throw Error(function + ": b has output " + to_string(b.output.shape()) + " of " +
              to_string(b.output.dtype()) + " but a has " + to_string(a.output.shape()) + " of " +
              to_string(a.output.dtype()) + ": they must match");
}

void merge_rows_of(const AttentionState& a, const AttentionState& b, AttentionState& to) {
  if (a.output.dtype() == DType::float64) return merge_rows<double>(a, b, to);
  merge_rows<float>(a, b, to);
}

/// That `a` can be written where it lies, apart from `b` and from itself.
void check_merged_into(const AttentionState& a, const AttentionState& b, const char* function) {
  const auto like = WrittenTensor::shaped_like;
  const WrittenTensor written[] = {like(a.output, "a.output", a.output, true),
                                   like(a.maximum, "a.maximum", a.maximum, true),
                                   like(a.sum, "a.sum", a.sum, true)};
  const NamedTensor read[] = {
      {"b.output", &b.output}, {"b.maximum", &b.maximum}, {"b.sum", &b.sum}};
  check_written(written, read, {}, function);
}

}  // namespace

void compute_state(const PlanData& plan, const CallInputs& inputs, AttentionState& state,
                   const char* function) {
  prepare_state(plan, inputs, state, function);
  if (plan.problem.dtype == DType::float64) return state_as<double>(plan, inputs, state);
  state_as<float>(plan, inputs, state);
}

void run_merge(AttentionState& a, const AttentionState& b, const char* function) {
  check_mergeable(a, b, function);
  check_merged_into(a, b, function);
  for (const Tensor* tensor : {&a.output, &a.maximum, &a.sum}) count_write(*tensor);
  merge_rows_of(a, with_unit_rows(b), a);
}

void run_finish(const AttentionState& state, AttentionResult& result, const char* function) {
  check_state(state, function);
  check_finished(state, result, function);
  result.plan = {};  // of what was there before; a state tells nothing of its plan
  const DType dtype = state.output.dtype();
  take_or_make(result.output, state.output.shape(), dtype);
  take_or_make(result.lse, state.maximum.shape(), dtype);
  const AttentionState rows = with_unit_rows(state);
  if (dtype == DType::float64) return finish_as<double>(rows, result);
  finish_as<float>(rows, result);
}

AttentionState merge(const AttentionState& a, const AttentionState& b) try {
  check_mergeable(a, b, "merge");
  const DType dtype = a.output.dtype();
  AttentionState result{Tensor::zeros(a.output.shape(), dtype),
                        Tensor::zeros(a.maximum.shape(), dtype),
                        Tensor::zeros(a.maximum.shape(), dtype)};
  merge_rows_of(with_unit_rows(a), with_unit_rows(b), result);
  return result;
} catch (...) {
  rethrow_as_error("merge");
}

void merge_into(AttentionState& a, const AttentionState& b) try {
  run_merge(a, b, "merge_into");
} catch (...) {
  rethrow_as_error("merge_into");
}

AttentionResult finish(const AttentionState& state) try {
  AttentionResult result;
  run_finish(state, result, "finish");
  return result;
} catch (...) {
  rethrow_as_error("finish");
}

AttentionResult finish(const AttentionState& state, DType dtype) try {
  require_floating(dtype, "finish: dtype");
  check_state(state, "finish");
  AttentionResult result;
  result.output = TensorBuilder::empty(state.output.shape(), dtype);
  run_finish(state, result, "finish");
  return result;
} catch (...) {
  rethrow_as_error("finish");
}

void finish_into(AttentionResult& result, const AttentionState& state) try {
  run_finish(state, result, "finish_into");
} catch (...) {
  rethrow_as_error("finish_into");
}

}  // namespace foveal
