// The forward of 16 bits where the target multiplies float32 alone: each thread widens the rows
// that its kernels meet, so that no tensor is copied whole.

#include "attention/engine/call.h"
#include "attention/engine/decode.h"
#include "attention/engine/doubtful_rows.h"
#include "attention/engine/engine.h"
#include "attention/engine/kept_head.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/query_tiles.h"
#include "attention/engine/workspace.h"
#include "core/thread_memory.h"

namespace foveal {
namespace {

using Bits = std::uint16_t;

/// A tensor of 16-bit numbers as their bits.
Heads<Bits> bits_of_heads(const Tensor& tensor) {
  Heads<Bits> heads;
  heads.data = static_cast<Bits*>(const_cast<void*>(tensor.raw_data()));
  for (std::size_t axis = 0; axis < 4; ++axis) heads.strides[axis] = tensor.strides()[axis];
  return heads;
}

struct WideCall : Terms<float> {
  std::uint64_t number = next_call();
  Tensor query_rows, key_rows, value_rows;  // what the pointers below look into
  Heads<Bits> query, key, value, output;
  const ConversionKernels& convert;

  WideCall(const PlanData& the_plan, const Tensor& q, const Tensor& k, const Tensor& v,
           const Tensor& o)
      : Terms<float>(the_plan),
        query_rows(unit_rows(q)),
        key_rows(unit_rows(k)),
        value_rows(unit_rows(v)),
        query(bits_of_heads(query_rows)),
        key(bits_of_heads(key_rows)),
        value(bits_of_heads(value_rows)),
        output(bits_of_heads(o)),
        convert(q.dtype() == DType::bfloat16 ? the_plan.target->bfloat16
                                             : the_plan.target->float16) {}

  void widen(const Bits* from, std::int64_t stride, std::int64_t rows, std::int64_t size,
             float* to) const {
    if (stride == size) return convert.widen(from, rows * size, to);
    for (std::int64_t r = 0; r < rows; ++r) convert.widen(from + r * stride, size, to + r * size);
  }
};

/// What one thread has widened: K and V of the KV head that it works on, which most tasks find made
/// by the one before, and the queries and outputs of one tile.
class WideRows {
 public:
  /// Gives the task its arrays.
  void begin(const WideCall& call, const SequencePlan& sequence, const QueryTile& at,
             ForwardTask<float>& task) {
    const Sequence& lengths = sequence.sequence;
    const std::int64_t d = task.head_size, dv = task.value_size;
    const std::int64_t kv = call.plan.problem.kv_head(at.h);
    reserve({call.number, &sequence, at.b, kv}, lengths.key_length, call.plan.query_tile, d, dv);
    first_key_ = call.key.row(at.b, kv, lengths.first_key);
    first_value_ = call.value.row(at.b, kv, lengths.first_key);
    const std::int64_t row = lengths.first_query + task.first_query;
    call.widen(call.query.row(at.b, at.h, row), call.query.strides[2], task.query_count, d, query_);
    task.query = query_;
    task.key = key_;
    task.value = value_;
    task.output = output_;
    task.query_stride = task.key_stride = d;
    task.value_stride = task.output_stride = dv;
    task.apart = !keeps_digits(task, query_);
  }

  /// Widens a tile of keys and values, unless it has been.
  void make(const WideCall& call, const ForwardTask<float>& task, const KeyTile& keys) {
    bool& made = made_[keys.first / kPlanKeyTile];
    if (made) return;
    made = true;
    const std::int64_t d = task.head_size, dv = task.value_size;
    const std::int64_t key_stride = call.key.strides[2], value_stride = call.value.strides[2];
    call.widen(first_key_ + keys.first * key_stride, key_stride, keys.count, d,
               key_ + keys.first * d);
    call.widen(first_value_ + keys.first * value_stride, value_stride, keys.count, dv,
               value_ + keys.first * dv);
  }

  /// Writes the task's output.
  void end(const WideCall& call, const SequencePlan& sequence, const QueryTile& at,
           const ForwardTask<float>& task) const {
    const std::int64_t row = sequence.sequence.first_query + task.first_query;
    for (std::int64_t q = 0; q < task.query_count; ++q) {
      call.convert.narrow(output_ + q * task.value_size, task.value_size,
                          call.output.row(at.b, at.h, row + q));
    }
  }

 private:
  void reserve(const HeadOfCall& head, std::int64_t keys, std::int64_t queries, std::int64_t d,
               std::int64_t dv) {
    const std::int64_t tiles = (keys + kPlanKeyTile - 1) / kPlanKeyTile;
    const std::int64_t numbers = (keys + queries) * (d + dv);
    const ThreadBlock block =
        thread_block(Kept::wide_rows, static_cast<std::size_t>(numbers) * sizeof(float) +
                                          static_cast<std::size_t>(tiles) * sizeof(bool));
    key_ = static_cast<float*>(block.data);
    value_ = key_ + keys * d;
    query_ = value_ + keys * dv;
    output_ = query_ + queries * d;
    made_ = reinterpret_cast<bool*>(output_ + queries * dv);
    if (kept_.changes_to(head, block.fresh)) std::fill_n(made_, tiles, false);
  }

  KeptHead kept_;
  float *key_ = nullptr, *value_ = nullptr, *query_ = nullptr, *output_ = nullptr;
  bool* made_ = nullptr;
  const Bits *first_key_ = nullptr, *first_value_ = nullptr;
};

void run_tile(const WideCall& call, DoubtfulRows& doubtful, const SequencePlan& sequence,
              const QueryTile& at) {
  const ForwardKernels<float>& kernels = call.plan.target->forward_float32;
  ForwardTask<float> task;
  call.fill(task, sequence.sequence, at.b, at.h, at.tile);
  thread_local WideRows rows;
  rows.begin(call, sequence, at, task);
  task.workspace = workspace<float>(kernels.workspace(task.head_size, task.value_size));
  task.keys_are_new = bytes_of_keys(task, sequence) > kernels.kept_bytes;
  DropoutCounter dropout;
  task.dropout = call.head_dropout(sequence.sequence, at.b, at.h, dropout);
  const std::uint64_t wrong =
      run_forward_tile(kernels, task, sequence, at.b, at.h, at.tile, kernels.end,
                       [&](const KeyTile& keys) { rows.make(call, task, keys); });
  doubtful.add({&sequence, at.b, at.h, at.tile, wrong});
  rows.end(call, sequence, at, task);
}

}  // namespace

void run_wide_forward(const PlanData& plan, const CallInputs& inputs, AttentionResult& result) {
  const auto& [query, key, value] = inputs;
  DoubtfulRows doubtful;
  WideCall call(plan, query, key, value, result.output);
  if (result.lse.defined()) call.lse = row_numbers_of<float>(result.lse);
  const auto run = [&](const SequencePlan& sequence, const QueryTile& at, const QueryTile&) {
    run_tile(call, doubtful, sequence, at);
  };
  const QueryTileTasks tiles(plan, plan.tiled, run);
  run_with_decodes(TileTasks(tiles), plan, query, key, value, result, doubtful);
  compute_again(plan, query, key, value, doubtful, result);
}

}  // namespace foveal
