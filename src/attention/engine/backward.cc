// Attention's gradients: one task a block of keys of one KV head, over all the queries that see it.

#include <cmath>
#include <optional>

#include "attention/engine/call.h"
#include "attention/engine/engine.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/packed_rows.h"
#include "attention/engine/results.h"
#include "attention/engine/sink_gradient.h"
#include "attention/engine/split_lse.h"
#include "attention/engine/workspace.h"
#include "attention/plan/key_blocks.h"
#include "core/thread_pool.h"
#include "foveal/operations.h"
#include "tensor/builder.h"

namespace foveal {
namespace {

/// One call's arrays: the forward's, dO, and the gradients. Where the target multiplies bfloat16,
/// those of bfloat16, except that dQ of several blocks is added up in float32.
template <class T>
struct Backward {
  Terms<T> terms;
  KeyBlocks blocks;
  bool multiplies_pairs;
  Tensor output_rows = {}, gradient_rows = {};  // what pointers to O and dO look into
  std::optional<Arrays<T>> arrays = {};
  Heads<T> output_gradient = {}, query = {}, key = {}, value = {};
  std::optional<BFloat16Arrays> pairs = {};
  Heads<BFloat16> bfloat16_output_gradient = {}, bfloat16_query = {}, bfloat16_key = {},
                  bfloat16_value = {};
  /// What blocks 1, 2, ... of the keys add to dQ, each a dense (B, H, L_q, D); block 0 writes dQ.
  T* query_parts = nullptr;
  Heads<T> bias = {};          // data null where not asked for
  std::vector<double> slopes;  // (B, H, parts); empty where not asked for
  SplitLse split = {};         // undefined where lse serves

  explicit Backward(const PlanData& plan)
      : terms(plan), blocks(key_blocks(plan)), multiplies_pairs(plan.pair_products()) {}
};

template <class T>
const BackwardKernels<T>& kernels_of(const Backward<T>& backward) {
  const Target& target = *backward.terms.plan.target;
  if constexpr (sizeof(T) == sizeof(double)) {
    return target.backward_float64;
  } else {
    return backward.multiplies_pairs ? target.backward_bfloat16 : target.backward_float32;
  }
}

/// Where a block's part of dQ goes: dQ itself for the first one.
template <class T>
T* query_part(const Backward<T>& backward, const KeyBlock& block, std::int64_t h,
              std::int64_t row) {
  if (block.index == 0) return backward.query.row(block.b, h, row);
  const Problem& problem = backward.terms.plan.problem;
  const std::int64_t rows = problem.batch * problem.heads * problem.query_length;
  const std::int64_t before = (block.b * problem.heads + h) * problem.query_length + row;
  return backward.query_parts + ((block.index - 1) * rows + before) * problem.head_size;
}

/// Gives a task its arrays: inputs, and where gradients go.
template <class T>
void fill(BackwardTask<T>& task, const Backward<T>& backward, const KeyBlock& block,
          std::int64_t h) {
  const Sequence& sequence = block.sequence->sequence;
  const std::int64_t row = sequence.first_query + task.first_query;
  const std::int64_t first_key = sequence.first_key + block.first_key();
  if (backward.query.data != nullptr) {
    task.query_gradient = query_part(backward, block, h, row);
    task.query_gradient_stride = block.index == 0 ? backward.query.strides[2] : task.head_size;
  } else {
    task.bfloat16_query_gradient = bits_of(backward.bfloat16_query.row(block.b, h, row));
    task.query_gradient_stride = backward.bfloat16_query.strides[2];
  }
  if (backward.pairs) {
    backward.pairs->fill(task, sequence, block.b, h, block.kv);
    task.bfloat16_output_gradient = bits_of(backward.bfloat16_output_gradient.row(block.b, h, row));
    task.output_gradient_stride = backward.bfloat16_output_gradient.strides[2];
    task.bfloat16_key_gradient = bits_of(backward.bfloat16_key.row(block.b, block.kv, first_key));
    task.bfloat16_value_gradient =
        bits_of(backward.bfloat16_value.row(block.b, block.kv, first_key));
    task.key_gradient_stride = backward.bfloat16_key.strides[2];
    task.value_gradient_stride = backward.bfloat16_value.strides[2];
  } else if (backward.arrays) {
    backward.arrays->fill(task, sequence, block.b, h, block.kv);
    task.output_gradient = backward.output_gradient.row(block.b, h, row);
    task.output_gradient_stride = backward.output_gradient.strides[2];
    task.key_gradient = backward.key.row(block.b, block.kv, first_key);
    task.value_gradient = backward.value.row(block.b, block.kv, first_key);
    task.key_gradient_stride = backward.key.strides[2];
    task.value_gradient_stride = backward.value.strides[2];
  }
}

/// For a tile with a large lse, so that no row's bits depend on those of another tile.
template <class T>
void take_split_lse(BackwardTask<T>& task, Backward<T>& backward, std::int64_t row) {
  task.lse = backward.split.maximum.template data<T>() + row;
  task.lse_rest = backward.split.rest.template data<T>() + row;
  task.apart = true;
}

template <class T>
BackwardTask<T> make_task(Backward<T>& backward, const KeyBlock& block, std::int64_t h,
                          std::int64_t tile) {
  const Problem& problem = backward.terms.plan.problem;
  BackwardTask<T> task;
  backward.terms.fill(task, block.sequence->sequence, block.b, h, tile);
  task.first_key = block.first_key();
  task.key_count = block.key_count();
  fill(task, backward, block, h);
  if (is_large(task.lse, task.query_count)) {
    take_split_lse(task, backward, backward.terms.row(block.sequence->sequence, block.b, h, tile));
  }
  if (backward.bias.data != nullptr) {
    task.bias_gradient = backward.bias.row(block.b, h, task.first_query);
    task.bias_gradient_query_stride = backward.bias.strides[2];
    task.bias_gradient_key_stride = backward.bias.strides[3];
  }
  if (!backward.slopes.empty()) {
    const std::int64_t head = block.b * problem.heads + h;
    task.slope_gradient =
        &backward.slopes[static_cast<std::size_t>(head * backward.blocks.parts + block.part)];
  }
  return task;
}

template <class T>
void clear_rows(T* rows, std::int64_t stride, std::int64_t count, std::int64_t size) {
  for (std::int64_t n = 0; n < count; ++n) std::fill_n(rows + n * stride, size, T(0));
}

/// One tile of queries against the block's tiles of keys.
template <class T>
void run_queries(Backward<T>& backward, const KeyBlock& block, std::int64_t h, std::int64_t tile,
                 const PackedBlock<T>& packed, T* memory) {
  const PlanData& plan = backward.terms.plan;
  const BackwardKernels<T>& kernels = kernels_of(backward);
  BackwardTask<T> task = make_task(backward, block, h, tile);
  packed.place(task);
  DropoutCounter dropout;
  task.dropout = backward.terms.head_dropout(block.sequence->sequence, block.b, h, dropout);
  task.workspace = memory;
  bool begun = false;
  for_each_key_tile(task, *block.sequence, block.b, h, tile, plan.query_tile, block.first_tile,
                    block.last_tile, [&](const KeyTile& keys) {
                      if (!begun) kernels.begin(task);
                      begun = true;
                      kernels.tile(task, keys);
                    });
  if (begun) {
    kernels.end(task);
  } else if (task.query_gradient != nullptr) {
    clear_rows(task.query_gradient, task.query_gradient_stride, task.query_count, task.head_size);
  } else {
    clear_rows(task.bfloat16_query_gradient, task.query_gradient_stride, task.query_count,
               task.head_size);
  }
}

/// The query heads of the block's KV head one after another, so that dK and dV need no merging.
template <class T>
void run_block(Backward<T>& backward, const KeyBlock& block) {
  const PlanData& plan = backward.terms.plan;
  const BackwardKernels<T>& kernels = kernels_of(backward);
  const std::int64_t group = plan.problem.group();
  const std::int64_t first_head = block.kv * group;
  if (group == 0 || block.sequence->query_tiles == 0) return;
  BackwardTask<T> task = make_task(backward, block, first_head, 0);
  const PackedBlock<T> packed(task, plan, block);
  packed.place(task);
  task.workspace = workspace<T>(kernels.workspace(task.head_size, task.value_size, task.key_count));
  kernels.block_begin(task);
  for (std::int64_t h = first_head; h < first_head + group; ++h) {
    for (std::int64_t tile = 0; tile < block.sequence->query_tiles; ++tile) {
      run_queries(backward, block, h, tile, packed, task.workspace);
    }
  }
  kernels.block_end(task);
}

/// Adds the parts of dQ, in the order of the blocks.
template <class T>
void add_query_parts(const Problem& problem, std::int64_t parts, const T* from,
                     const Heads<T>& to) {
  constexpr std::int64_t kRows = 64;
  const std::int64_t length = problem.query_length, size = problem.head_size;
  const std::int64_t rows = problem.batch * problem.heads * length;
  parallel_for((rows + kRows - 1) / kRows, [&](std::int64_t chunk) {
    const std::int64_t last = std::min((chunk + 1) * kRows, rows);
    for (std::int64_t row = chunk * kRows; row < last; ++row) {
      const std::int64_t head = row / length;
      T* const sum = to.row(head / problem.heads, head % problem.heads, row % length);
      for (std::int64_t part = 0; part < parts; ++part) {
        const T* const added = from + (part * rows + row) * size;
        for (std::int64_t d = 0; d < size; ++d) sum[d] += added[d];
      }
    }
  });
}

/// dSlope[h]: the parts of all batch entries and blocks, in order.
template <class T>
Tensor slope_gradient(const Backward<T>& backward) {
  const Problem& problem = backward.terms.plan.problem;
  Tensor result = Tensor::zeros({problem.heads}, DType::float64);
  const std::int64_t parts = backward.blocks.parts;
  for (std::int64_t n = 0; n < problem.batch * problem.heads * parts; ++n) {
    result.data<double>()[n / parts % problem.heads] +=
        backward.slopes[static_cast<std::size_t>(n)];
  }
  return result.to(backward.terms.plan.options.alibi_slopes.dtype());
}

/// Whether every element of dQ, dK and dV is written: not what a sequence without queries has of dK
/// and dV, nor what one without keys has of dQ, nor rows that no sequence has.
bool writes_all(const PlanData& plan) {
  const Problem& problem = plan.problem;
  return plan.sequences.size() == 1 && plan.sequences[0].sequence.unused_keys == 0 &&
         problem.query_length > 0 && problem.key_length > 0 && problem.heads > 0;
}

/// Memory for a gradient.
Tensor make_gradient(const PlanData& plan, const Shape& shape, DType dtype) {
  return writes_all(plan) ? TensorBuilder::empty(shape, dtype) : Tensor::zeros(shape, dtype);
}

/// Where a gradient is written: the caller's tensor if it may be, else memory of our own.
Tensor place_of_gradient(const PlanData& plan, Tensor given, bool add, const Shape& shape,
                         DType dtype) {
  if (add || !given.defined() || given.dtype() != dtype) return make_gradient(plan, shape, dtype);
  if (writes_all(plan)) {
    count_write(given);
  } else {
    given.fill_(0);
  }
  return given;
}

/// dQ, dK, dV and what is added up in other memory first.
template <class T>
struct Gradients {
  Tensor query, key, value, query_parts, bias;

  Gradients(Backward<T>& backward, const CallInputs& inputs, const AttentionGradients& given,
            bool add) {
    const PlanData& plan = backward.terms.plan;
    constexpr DType dtype = dtype_of<T>();
    const std::int64_t parts = backward.blocks.most_blocks - 1;
    const bool pairs = backward.multiplies_pairs;
    const DType written = pairs ? DType::bfloat16 : dtype;
    const auto place = [&](const Tensor& tensor, const Tensor& input, DType kept) {
      return place_of_gradient(plan, tensor, add, input.shape(), kept);
    };
    query = place(given.q, inputs.query, parts > 0 ? dtype : written);
    key = place(given.k, inputs.key, written);
    value = place(given.v, inputs.value, written);
    if (pairs) {
      backward.bfloat16_key = heads_of<BFloat16>(key);
      backward.bfloat16_value = heads_of<BFloat16>(value);
    } else {
      backward.key = heads_of<T>(key);
      backward.value = heads_of<T>(value);
    }
    if (pairs && parts <= 0) {
      backward.bfloat16_query = heads_of<BFloat16>(query);
    } else {
      backward.query = heads_of<T>(query);
    }
    if (parts > 0) {
      query_parts = make_gradient(plan, {parts, query.element_count()}, dtype);
      backward.query_parts = query_parts.template data<T>();
    }
    const GradientOptions& asked = plan.options.gradients;
    if (asked.bias) {
      bias = Tensor::zeros(plan.options.bias.shape(), dtype);
      backward.bias = broadcast_heads<T>(bias);
    }
    if (asked.alibi_slopes) {
      backward.slopes.resize(static_cast<std::size_t>(plan.problem.batch * plan.problem.heads *
                                                      backward.blocks.parts));
    }
  }
};

/// What was computed goes to the caller: as it is, converted, or added to what is there.
void give(Tensor& given, const Tensor& computed, DType dtype, bool add) {
  if (!given.defined()) {
    given = computed.to(dtype);
  } else if (add) {
    given.copy_(given.to(computed.dtype()) + computed);
  } else if (!given.shares_storage(computed)) {
    given.copy_(computed);
  }
}

template <class T>
void run_blocks(Backward<T>& backward) {
  const auto& chains = backward.blocks.chains;
  parallel_for(static_cast<std::int64_t>(chains.size()), [&](std::int64_t index) {
    for (const KeyBlock& block : chains[static_cast<std::size_t>(index)]) {
      run_block(backward, block);
    }
  });
  const std::int64_t parts = backward.blocks.most_blocks - 1;
  if (parts <= 0) return;
  add_query_parts<T>(backward.terms.plan.problem, parts, backward.query_parts, backward.query);
}

/// Q, K, V, O and dO in the type that is multiplied.
template <class T>
void set_inputs(Backward<T>& backward, const Tensor& grad_output, const Tensor& query,
                const Tensor& key, const Tensor& value, const Tensor& output) {
  if (backward.multiplies_pairs) {
    backward.pairs.emplace(query, key, value, output);
    backward.gradient_rows = unit_rows(grad_output);
    backward.bfloat16_output_gradient = heads_of<BFloat16>(backward.gradient_rows);
    return;
  }
  backward.arrays.emplace(query, key, value);
  backward.output_rows = rows_as<T>(output);
  backward.gradient_rows = rows_as<T>(grad_output);
  backward.arrays->output = heads_of<T>(backward.output_rows);
  backward.output_gradient = heads_of<T>(backward.gradient_rows);
}

template <class T>
void backward_as(const PlanData& plan, const Tensor& grad_output, const CallInputs& inputs,
                 const AttentionResult& result, AttentionGradients& gradients, bool add) {
  const auto& [query, key, value] = inputs;
  Backward<T> backward(plan);
  const Tensor lse = result.lse.contiguous();
  backward.terms.lse = row_numbers_of<T>(lse);
  if (is_large(lse.data<T>(), lse.element_count())) {
    backward.split = split_lse(Call<T>(plan, query, key, value), lse);
  }
  set_inputs(backward, grad_output, query, key, value, result.output);
  const Gradients<T> written(backward, inputs, gradients, add);
  run_blocks(backward);
  const DType dtype = plan.problem.dtype;
  give(gradients.q, written.query, dtype, add);
  give(gradients.k, written.key, dtype, add);
  give(gradients.v, written.value, dtype, add);
  const AttentionOptions& options = plan.options;
  if (options.gradients.bias) give(gradients.bias, written.bias, options.bias.dtype(), add);
  if (options.gradients.sinks) {
    const Tensor sinks =
        sink_gradient(backward.terms, backward.split, OutputRows<T>(result.output, grad_output));
    give(gradients.sinks, sinks, options.sinks.dtype(), add);
  }
  if (options.gradients.alibi_slopes) {
    give(gradients.alibi_slopes, slope_gradient(backward), options.alibi_slopes.dtype(), add);
  }
}

}  // namespace

void compute_gradients(const PlanData& plan, const Tensor& grad_output, const CallInputs& inputs,
                       const AttentionResult& result, AttentionGradients& gradients, bool add) {
  if (plan.problem.dtype == DType::float64) {
    return backward_as<double>(plan, grad_output, inputs, result, gradients, add);
  }
  backward_as<float>(plan, grad_output, inputs, result, gradients, add);
}

}  // namespace foveal
