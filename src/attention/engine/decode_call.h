#pragma once
// One call of a decode: its tensors as they were given, and the rows that share a KV head.

#include <algorithm>

#include "attention/engine/call.h"
#include "attention/plan/plan_data.h"

namespace foveal {

/// A row of one head, in memory of any dtype.
inline void* row_of(const Tensor& tensor, std::int64_t b, std::int64_t h, std::int64_t row) {
  const auto& strides = tensor.strides();
  const std::int64_t elements = b * strides[0] + h * strides[1] + row * strides[2];
  const auto* const data = static_cast<const char*>(tensor.raw_data());
  return const_cast<char*>(data) + elements * static_cast<std::int64_t>(size_of(tensor.dtype()));
}

/// Of the plan's 16-bit type.
inline const ConversionKernels& conversion_kernels(const PlanData& plan) {
  const Target& target = *plan.target;
  return plan.problem.dtype == DType::bfloat16 ? target.bfloat16 : target.float16;
}

/// A KV head of a batch entry of one sequence. Its rows are the queries of its first query head,
/// then those of the next.
struct DecodeGroup {
  const DecodeSequence& share;
  const SequencePlan& plan;
  std::int64_t number, b, kv, first_head;

  const Sequence& lengths() const { return plan.sequence; }
  std::int64_t head_of(std::int64_t row) const { return first_head + row / lengths().query_length; }
  std::int64_t query_of(std::int64_t row) const { return row % lengths().query_length; }
};

/// Some of a group's rows against some of its keys: one task.
struct DecodeSplit {
  const DecodeGroup& group;
  std::int64_t first_row, rows;
  std::int64_t first_key, last_key;
};

/// Of each row of a task: sum of exp(S - maximum) V, then, `width` - 2 numbers on, the maximum and
/// the sum of exp(S - maximum). One that isn't finite tells that the row may be wrong.
template <class T>
struct RowParts {
  T* data;
  std::int64_t width;

  T* of(std::int64_t row) const { return data + row * width; }
  T& maximum(std::int64_t row) const { return data[(row + 1) * width - 2]; }
  T& sum(std::int64_t row) const { return data[(row + 1) * width - 1]; }
};

/// Made where a ThreadMemoryScope of the call's thread lives.
template <class T>
struct DecodeCall {
  const PlanData& plan;
  const Problem& problem;
  Terms<T> terms;
  Tensor query_rows, key_rows, value_rows;
  std::int64_t part_width;
  T scale, softcap;

  DecodeCall(const PlanData& the_plan, const Tensor& query, const Tensor& key, const Tensor& value)
      : plan(the_plan),
        problem(the_plan.problem),
        terms(the_plan),
        query_rows(unit_rows(query)),
        key_rows(unit_rows(key)),
        value_rows(unit_rows(value)),
        part_width(decode_width(the_plan.problem.value_size) + 2),
        scale(static_cast<T>(scale_of(the_plan))),
        softcap(softcap_of<T>(the_plan)) {}

  DecodeGroup group(const DecodeSequence& share, std::int64_t number) const {
    const SequencePlan& sequence = plan.sequences[share.sequence];
    const std::int64_t b = sequence.sequence.first_entry + number / problem.kv_heads;
    const std::int64_t kv = number % problem.kv_heads;
    return {share, sequence, number, b, kv, kv * problem.group()};
  }

  /// `size` numbers of a row as T.
  void copy_row(const void* from, std::int64_t size, T* to) const {
    if (size_of(problem.dtype) == sizeof(T)) {
      std::copy_n(static_cast<const T*>(from), size, to);
    } else if constexpr (sizeof(T) == sizeof(float)) {
      conversion_kernels(plan).widen(static_cast<const std::uint16_t*>(from), size, to);
    }
  }

  /// What row `row` of a group has besides its numbers.
  HeadRow<T> head_row(const DecodeGroup& group, std::int64_t row) const {
    const std::int64_t h = group.head_of(row), i = group.query_of(row);
    HeadRow<T> result;
    result.query = i;
    if (terms.dropout.drops()) {
      const DropoutCounter dropout = terms.dropout.of(group.lengths(), group.b, h);
      result.head = dropout.head;
      result.kept = dropout.kept;
    }
    if (terms.heads.slopes != nullptr) result.alibi_slope = terms.heads.slopes[h];
    if (terms.bias.data != nullptr) result.bias = terms.bias.row(group.b, h, i);
    return result;
  }

  /// A row's query.
  const void* query_of(const DecodeGroup& group, std::int64_t row) const {
    return row_of(query_rows, group.b, group.head_of(row),
                  group.lengths().first_query + group.query_of(row));
  }
};

/// visit(begin, end, full) for the keys of the task that some row may see.
template <class Visit>
void for_each_run(const DecodeSplit& split, Visit visit) {
  const SequencePlan& plan = split.group.plan;
  if (plan.mask->varies_by_head()) return visit(split.first_key, split.last_key, false);
  for (const TileRun& run : plan.runs_of(split.group.b, 0, 0)) {
    const std::int64_t begin = std::max(split.first_key, run.first * kPlanKeyTile);
    const std::int64_t end = std::min(split.last_key, run.last * kPlanKeyTile);
    if (begin < end) visit(begin, end, run.kind == TileKind::full);
  }
}

}  // namespace foveal
