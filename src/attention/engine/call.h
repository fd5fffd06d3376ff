#pragma once
// One call's arrays in the type that the kernels compute in, and the tasks cut from them.

#include <algorithm>

#include "attention/engine/arrays.h"

namespace foveal {

/// What a call has besides Q, K, V and O.
template <class T>
struct Terms {
  const PlanData& plan;
  T* lse = nullptr;  // (B, H, L_q), or null
  Tensor bias_rows = {};
  Heads<T> bias = {};  // (B, H, L_q, L_k) with stride 0 where broadcast; data null without one
  std::vector<T> slopes = {}, sinks = {};
  HeadDropout dropout;

  explicit Terms(const PlanData& the_plan) : plan(the_plan), dropout(the_plan) {
    const AttentionOptions& options = plan.options;
    if (options.bias.defined()) {
      bias_rows = broadcast_to_scores(options.bias.to(dtype_of<T>()), plan.problem);
      bias = heads_of<T>(bias_rows);
    }
    slopes = numbers_of<T>(options.alibi_slopes);
    sinks = numbers_of<T>(options.sinks);
  }

  /// Fills a task for one tile of queries of one head, but for its arrays of numbers, workspace and
  /// dropout. The row of its first query is first_query of the sequence and the task together.
  void fill(ForwardTask<T>& task, const Sequence& sequence, std::int64_t b, std::int64_t h,
            std::int64_t tile) const {
    const Problem& problem = plan.problem;
    const std::int64_t first = tile * plan.query_tile;
    task.query_count = std::min(plan.query_tile, sequence.query_length - first);
    task.head_size = problem.head_size;
    task.value_size = problem.value_size;
    task.first_query = first;
    task.offset = sequence.key_length - sequence.query_length;
    task.scale = static_cast<T>(scale_of(plan));
    task.softcap = static_cast<T>(plan.options.softcap);
    if (!slopes.empty()) task.alibi_slope = slopes[static_cast<std::size_t>(h)];
    if (!sinks.empty()) task.sink = &sinks[static_cast<std::size_t>(h)];
    if (bias.data != nullptr) {
      task.bias = bias.row(b, h, first);
      task.bias_query_stride = bias.strides[2];
      task.bias_key_stride = bias.strides[3];
    }
    if (lse != nullptr) task.lse = lse + row(sequence, b, h, tile);
  }

  /// Where the first query of a tile lies in (B, H, L_q).
  std::int64_t row(const Sequence& sequence, std::int64_t b, std::int64_t h,
                   std::int64_t tile) const {
    return (b * plan.problem.heads + h) * plan.problem.query_length + sequence.first_query +
           tile * plan.query_tile;
  }

  /// The counter of one head, or none.
  const DropoutCounter* head_dropout(std::int64_t b, std::int64_t h,
                                     DropoutCounter& counter) const {
    if (!dropout.drops()) return nullptr;
    counter = dropout.of(b, h);
    return &counter;
  }
};

template <class T>
struct Call : Terms<T> {
  Tensor query_rows, key_rows, value_rows;  // what the pointers below look into
  Heads<T> query = {}, key = {}, value = {}, output = {};

  Call(const PlanData& the_plan, const Tensor& q, const Tensor& k, const Tensor& v)
      : Terms<T>(the_plan),
        query_rows(unit_rows(q.to(dtype_of<T>()))),
        key_rows(unit_rows(k.to(dtype_of<T>()))),
        value_rows(unit_rows(v.to(dtype_of<T>()))) {
    query = heads_of<T>(query_rows);
    key = heads_of<T>(key_rows);
    value = heads_of<T>(value_rows);
  }

  /// One tile of queries of one head, but for its workspace and dropout.
  ForwardTask<T> task(const Sequence& sequence, std::int64_t b, std::int64_t h,
                      std::int64_t tile) const {
    const std::int64_t kv = this->plan.problem.kv_head(h);
    ForwardTask<T> task;
    this->fill(task, sequence, b, h, tile);
    const std::int64_t row = sequence.first_query + task.first_query;
    task.query = query.row(b, h, row);
    task.key = key.row(b, kv, sequence.first_key);
    task.value = value.row(b, kv, sequence.first_key);
    task.output = output.row(b, h, row);
    task.query_stride = query.strides[2];
    task.key_stride = key.strides[2];
    task.value_stride = value.strides[2];
    task.output_stride = output.strides[2];
    return task;
  }
};

}  // namespace foveal
