#pragma once
// Where the forward's kernels put what they gather of each row.

#include "attention/plan/plan_data.h"
#include "core/thread_memory.h"
#include "kernels/forward/observation.h"

namespace foveal {

template <class T>
class RowStatistics {
 public:
  /// Looks into the results that are there in `statistics`.
  explicit RowStatistics(Statistics& statistics) {
    if (statistics.entropy.defined()) entropy_ = statistics.entropy.template data<T>();
    if (statistics.maximum.defined()) maximum_ = statistics.maximum.template data<T>();
    if (!statistics.top_k_keys.defined()) return;
    k_ = statistics.top_k_keys.size(3);
    keys_ = statistics.top_k_keys.template data<std::int64_t>();
    weights_ = statistics.top_k_weights.template data<T>();
  }

  /// The results that are asked for, before anything is gathered.
  static Statistics make(const PlanData& plan) {
    constexpr DType dtype = dtype_of<T>();
    const StatisticsOptions& asked = plan.options.statistics;
    Statistics statistics;
    if (!gathers_rows(plan.options)) return statistics;
    const Shape rows = plan.problem.row_shape();
    if (asked.entropy) statistics.entropy = Tensor::zeros(rows, dtype);
    if (asked.maximum) statistics.maximum = Tensor::zeros(rows, dtype);
    if (asked.top_k == 0) return statistics;
    const Shape shape{rows[0], rows[1], rows[2], asked.top_k};
    statistics.top_k_keys = Tensor::full(shape, -1, DType::int64);
    statistics.top_k_weights = Tensor::zeros(shape, dtype);
    return statistics;
  }

  /// For the tile of queries whose first has this row of (B, H, L_q); its keys are counted from
  /// `first_key`. Valid until the calling thread's next call.
  Observation<T>* of(std::int64_t row, std::int64_t first_key) const {
    constexpr std::int64_t kMostQueries = 64;
    thread_local Observation<T> observation;
    const auto bytes = static_cast<std::size_t>(kMostQueries * k_) * sizeof(T);
    observation.k = k_;
    observation.first_key = first_key;
    observation.scores = static_cast<T*>(thread_block(Kept::scores, bytes).data);
    observation.keys = k_ == 0 ? nullptr : keys_ + row * k_;
    observation.weights = k_ == 0 ? nullptr : weights_ + row * k_;
    observation.entropy = entropy_ == nullptr ? nullptr : entropy_ + row;
    observation.maximum = maximum_ == nullptr ? nullptr : maximum_ + row;
    return &observation;
  }

 private:
  std::int64_t k_ = 0;
  std::int64_t* keys_ = nullptr;
  T *weights_ = nullptr, *entropy_ = nullptr, *maximum_ = nullptr;
};

}  // namespace foveal
