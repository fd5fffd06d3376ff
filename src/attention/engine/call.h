#pragma once
// One call's arrays in the type that the kernels compute in, and the tasks cut from them.

#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/engine/arrays.h"
#include "attention/engine/row_numbers.h"

namespace foveal {

/// Whether the task's queries times the scale neither overflow nor lose the digits that scores
/// need: if not, the scale must come after the product.
template <class T, class Element>
bool keeps_digits(const ForwardTask<T>& task, const Element* queries) {
  const T magnitude = std::fabs(task.scale);
  if (magnitude <= 1) return magnitude == 0 || magnitude >= T(0x1p-40);
  const T most = std::numeric_limits<T>::max() / magnitude;
  for (std::int64_t q = 0; q < task.query_count; ++q) {
    for (std::int64_t d = 0; d < task.head_size; ++d) {
      if (std::fabs(static_cast<T>(queries[q * task.query_stride + d])) > most) return false;
    }
  }
  return true;
}

/// The softcap, 0 for none; one that T can't tell from 0 is the least one.
template <class T>
T softcap_of(const PlanData& plan) {
  const double cap = plan.options.softcap;
  return cap > 0 ? std::max(static_cast<T>(cap), std::numeric_limits<T>::min()) : T(0);
}

/// What a call has besides Q, K, V and O. Made where a ThreadMemoryScope of the call's thread
/// lives.
template <class T>
struct Terms {
  const PlanData& plan;
  RowNumbers<T> lse = {};  // data null where none is wanted
  Tensor bias_rows = {};
  Heads<T> bias = {};  // (B, H, L_q, L_k) with stride 0 where broadcast; data null without one
  HeadTerms<T> heads;
  HeadDropout dropout;

  explicit Terms(const PlanData& the_plan)
      : plan(the_plan), heads(head_terms<T>(the_plan)), dropout(the_plan) {
    if (!plan.options.bias.defined()) return;
    bias_rows = option_as<T>(plan.options.bias, "bias");
    bias = broadcast_heads<T>(bias_rows);
  }

  /// Fills a task for one tile of queries of one head, but for its arrays of numbers, what follows
  /// from these, workspace and dropout. The row of its first query is first_query of the sequence
  /// and the task together.
  void fill(ForwardTask<T>& task, const Sequence& sequence, std::int64_t b, std::int64_t h,
            std::int64_t tile) const {
    const Problem& problem = plan.problem;
    const std::int64_t first = tile * plan.query_tile;
    task.query_count = std::min(plan.query_tile, sequence.query_length - first);
    task.head_size = problem.head_size;
    task.value_size = problem.value_size;
    task.first_query = first;
    task.offset = sequence.offset();
    task.scale = static_cast<T>(scale_of(plan));
    task.softcap = softcap_of<T>(plan);
    if (heads.slopes != nullptr) task.alibi_slope = heads.slopes[h];
    if (heads.sinks != nullptr) task.sink = heads.sinks + h;
    if (bias.data != nullptr) {
      task.bias = bias.row(b, h, first);
      task.bias_query_stride = bias.strides[2];
      task.bias_key_stride = bias.strides[3];
    }
    if (lse.data != nullptr) task.lse = lse.row(b, h, sequence.first_query + first);
  }

  /// Where the first query of a tile lies in a dense (B, H, L_q).
  std::int64_t row(const Sequence& sequence, std::int64_t b, std::int64_t h,
                   std::int64_t tile) const {
    return (b * plan.problem.heads + h) * plan.problem.query_length + sequence.first_query +
           tile * plan.query_tile;
  }

  /// The counter of one head of a sequence, or none.
  const DropoutCounter* head_dropout(const Sequence& sequence, std::int64_t b, std::int64_t h,
                                     DropoutCounter& counter) const {
    if (!dropout.drops()) return nullptr;
    counter = dropout.of(sequence, b, h);
    return &counter;
  }
};

/// Q, K, V and O in the type that is computed in.
template <class T>
struct Arrays {
  Tensor query_rows, key_rows, value_rows;  // what the pointers below look into
  Heads<T> query = {}, key = {}, value = {}, output = {};

  Arrays(const Tensor& q, const Tensor& k, const Tensor& v)
      : query_rows(rows_as<T>(q)),
        key_rows(rows_as<T>(k)),
        value_rows(rows_as<T>(v)),
        query(heads_of<T>(query_rows)),
        key(heads_of<T>(key_rows)),
        value(heads_of<T>(value_rows)) {}

  /// Gives the arrays to a task for query head h on KV head kv that Terms has filled.
  void fill(ForwardTask<T>& task, const Sequence& sequence, std::int64_t b, std::int64_t h,
            std::int64_t kv) const {
    const std::int64_t row = sequence.first_query + task.first_query;
    task.query = query.row(b, h, row);
    task.key = key.row(b, kv, sequence.first_key);
    task.value = value.row(b, kv, sequence.first_key);
    task.output = output.row(b, h, row);
    task.query_stride = query.strides[2];
    task.key_stride = key.strides[2];
    task.value_stride = value.strides[2];
    task.output_stride = output.strides[2];
    task.apart = !keeps_digits(task, task.query);
  }
};

/// The same as they were given, but for a last stride that isn't 1, for kernels that multiply
/// bfloat16.
struct BFloat16Arrays {
  Tensor query_rows, key_rows, value_rows, output_rows;
  Heads<BFloat16> query, key, value, output;

  BFloat16Arrays(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& o)
      : query_rows(unit_rows(q)),
        key_rows(unit_rows(k)),
        value_rows(unit_rows(v)),
        output_rows(unit_rows(o)),
        query(heads_of<BFloat16>(query_rows)),
        key(heads_of<BFloat16>(key_rows)),
        value(heads_of<BFloat16>(value_rows)),
        output(heads_of<BFloat16>(output_rows)) {}

  /// `Task` is a ForwardTask and BFloat16Rows.
  template <class Task>
  void fill(Task& task, const Sequence& sequence, std::int64_t b, std::int64_t h,
            std::int64_t kv) const {
    const std::int64_t row = sequence.first_query + task.first_query;
    task.bfloat16_query = bits_of(query.row(b, h, row));
    task.bfloat16_key = bits_of(key.row(b, kv, sequence.first_key));
    task.bfloat16_value = bits_of(value.row(b, kv, sequence.first_key));
    task.bfloat16_output = bits_of(output.row(b, h, row));
    task.query_stride = query.strides[2];
    task.key_stride = key.strides[2];
    task.value_stride = value.strides[2];
    task.output_stride = output.strides[2];
    task.apart = !keeps_digits(task, query.row(b, h, row));
  }
};

template <class T>
struct Call : Terms<T>, Arrays<T> {
  Call(const PlanData& the_plan, const Tensor& q, const Tensor& k, const Tensor& v)
      : Terms<T>(the_plan), Arrays<T>(q, k, v) {}

  /// One tile of queries of one head, but for its workspace and dropout.
  ForwardTask<T> task(const Sequence& sequence, std::int64_t b, std::int64_t h,
                      std::int64_t tile) const {
    ForwardTask<T> task;
    Terms<T>::fill(task, sequence, b, h, tile);
    Arrays<T>::fill(task, sequence, b, h, this->plan.problem.kv_head(h));
    return task;
  }
};

}  // namespace foveal
