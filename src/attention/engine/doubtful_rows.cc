#include "attention/engine/doubtful_rows.h"

#include <optional>

#include "attention/engine/row_statistics.h"
#include "attention/engine/score_rows.h"
#include "attention/engine/state_row.h"
#include "core/thread_pool.h"
#include "kernels/philox.h"

namespace foveal {
namespace {

/// Entropy, maximum and the largest weights of some of a tile's rows.
template <class T>
class Gatherer {
 public:
  Gatherer(Observation<T>& observed, const RowSums& sums, std::uint64_t rows)
      : observed_(observed), sums_(sums) {
    for (std::int64_t q = 0; q < 64; ++q) {
      if ((rows >> q & 1) != 0) begin(q);
    }
  }

  /// Keys come in rising order, so that of equal scores the earlier stay.
  void add(std::int64_t q, double score, double weight, std::int64_t key) {
    if (std::isnan(sums_.sum[q]) || score == -INFINITY) return;
    if (weight > 0) entropy_[q] -= weight * std::log(weight);
    maximum_[q] = std::max(maximum_[q], weight);
    set(observed_.entropy, q, entropy_[q]);
    set(observed_.maximum, q, maximum_[q]);
    insert(q, static_cast<T>(score), static_cast<T>(weight), observed_.first_key + key);
  }

 private:
  /// A row with a NaN has no order.
  void begin(std::int64_t q) {
    const double nothing = std::isnan(sums_.sum[q]) ? sums_.sum[q] : 0;
    set(observed_.entropy, q, nothing);
    set(observed_.maximum, q, nothing);
    observed_.count[q] = 0;
    for (std::int64_t n = q * observed_.k; n < (q + 1) * observed_.k; ++n) {
      observed_.keys[n] = -1;
      observed_.weights[n] = static_cast<T>(nothing);
    }
  }

  void insert(std::int64_t q, T score, T weight, std::int64_t key) {
    const std::int64_t first = q * observed_.k;
    std::int64_t& count = observed_.count[q];
    std::int64_t place = first + count;
    if (count < observed_.k) ++count;
    for (; place > first && observed_.scores[place - 1] < score; --place) {
      if (place == first + observed_.k) continue;
      observed_.scores[place] = observed_.scores[place - 1];
      observed_.weights[place] = observed_.weights[place - 1];
      observed_.keys[place] = observed_.keys[place - 1];
    }
    if (place == first + observed_.k) return;
    observed_.scores[place] = score;
    observed_.weights[place] = weight;
    observed_.keys[place] = key;
  }

  static void set(T* numbers, std::int64_t q, double number) {
    if (numbers != nullptr) numbers[q] = static_cast<T>(number);
  }

  Observation<T>& observed_;
  const RowSums& sums_;
  double entropy_[64] = {}, maximum_[64] = {};
};

/// A tile's rows as they should be: O divided by the sums, [64][D_v], and m and l.
struct Rows {
  std::vector<double> output;
  RowSums sums;
};

template <class T>
Rows compute(const Call<T>& call, const DoubtfulTile& at, const RowStatistics<T>* statistics) {
  ScoreRows<T> scores(call, *at.sequence, at.b, at.h, at.tile);
  const Sequence& lengths = at.sequence->sequence;
  const ForwardTask<T>& task = scores.task();
  const std::int64_t size = task.value_size;
  Rows rows{std::vector<double>(static_cast<std::size_t>(64 * size)), scores.sums(at.rows)};
  DropoutCounter counter;
  const DropoutCounter* const dropout = call.head_dropout(lengths, at.b, at.h, counter);
  std::optional<Gatherer<T>> gatherer;
  if (statistics != nullptr) {
    const std::int64_t row = call.row(lengths, at.b, at.h, at.tile);
    gatherer.emplace(*statistics->of(row, lengths.first_key), rows.sums, at.rows);
  }
  scores.for_each_cell(
      at.rows, [&](const KeyTile& keys, std::int64_t q, std::int64_t k, double score) {
        const std::int64_t j = keys.first + k;
        double weight =
            score == -INFINITY ? 0 : std::exp(score - rows.sums.maximum[q]) / rows.sums.sum[q];
        if (gatherer) gatherer->add(q, score, weight, j);
        if (dropout != nullptr) weight *= DropoutRow(*dropout, task.first_query + q).factor(j);
        weight *= static_cast<double>(keys.value_scale);
        const T* const value = row_at<T>(keys.value, k, task.value_stride);
        double* const output = rows.output.data() + q * size;
        for (std::int64_t d = 0; d < size; ++d) output[d] += weight * static_cast<double>(value[d]);
      });
  return rows;
}

/// write(b, h, i, output, m, l) for each doubtful row, i counted through a packed batch.
template <class T, class Write>
void for_each_row(const Call<T>& call, const std::vector<DoubtfulTile>& tiles,
                  const RowStatistics<T>* statistics, const Write& write) {
  const PlanData& plan = call.plan;
  parallel_for(static_cast<std::int64_t>(tiles.size()), [&](std::int64_t n) {
    const DoubtfulTile& at = tiles[static_cast<std::size_t>(n)];
    const Rows rows = compute(call, at, statistics);
    const std::int64_t first = at.sequence->sequence.first_query + at.tile * plan.query_tile;
    for (std::int64_t q = 0; q < 64; ++q) {
      if ((at.rows >> q & 1) == 0) continue;
      write(at.b, at.h, first + q, rows.output.data() + q * plan.problem.value_size,
            rows.sums.maximum[q], rows.sums.sum[q]);
    }
  });
}

template <class S>
void write_row(Tensor& to, std::int64_t b, std::int64_t h, std::int64_t i, const double* numbers) {
  S* const row = heads_of<S>(to).row(b, h, i);
  for (std::int64_t d = 0; d < to.size(3); ++d) row[d] = S(numbers[d]);
}

void write_output(Tensor& to, std::int64_t b, std::int64_t h, std::int64_t i,
                  const double* numbers) {
  switch (to.dtype()) {
    case DType::float64:
      return write_row<double>(to, b, h, i, numbers);
    case DType::bfloat16:
      return write_row<BFloat16>(to, b, h, i, numbers);
    case DType::float16:
      return write_row<Float16>(to, b, h, i, numbers);
    default:
      return write_row<float>(to, b, h, i, numbers);
  }
}

/// A tile of float32's products, for rows that products of bfloat16 may have got wrong. The rows
/// that may be wrong still.
std::uint64_t run_wide(const Call<float>& call, const DoubtfulTile& at, AttentionResult& result) {
  const SequencePlan& sequence = *at.sequence;
  const ForwardKernels<float>& kernels = call.plan.target->forward_float32;
  ForwardTask<float> task = call.task(sequence.sequence, at.b, at.h, at.tile);
  std::vector<float> output(static_cast<std::size_t>(task.query_count * task.value_size));
  float lse[64];
  task.output = output.data();
  task.output_stride = task.value_size;
  task.lse = lse;
  task.apart = true;
  task.workspace = workspace<float>(kernels.workspace(task.head_size, task.value_size));
  DropoutCounter dropout;
  task.dropout = call.head_dropout(sequence.sequence, at.b, at.h, dropout);
  const std::uint64_t wrong =
      at.rows & run_forward_tile(kernels, task, sequence, at.b, at.h, at.tile, kernels.end,
                                 [](const KeyTile&) {});
  const std::int64_t first = sequence.sequence.first_query + task.first_query;
  for (std::int64_t q = 0; q < task.query_count; ++q) {
    if (((at.rows & ~wrong) >> q & 1) == 0) continue;
    const auto numbers = output.begin() + q * task.value_size;
    const std::vector<double> whole(numbers, numbers + task.value_size);
    write_output(result.output, at.b, at.h, first + q, whole.data());
    if (result.lse.defined())
      *row_numbers_of<float>(result.lse).row(at.b, at.h, first + q) = lse[q];
  }
  return wrong;
}

/// What float32's products get right of the tiles is written. The others.
std::vector<DoubtfulTile> run_all_wide(const Call<float>& call, const DoubtfulRows& doubtful,
                                       AttentionResult& result) {
  std::vector<DoubtfulTile> tiles = doubtful.tiles();
  parallel_for(static_cast<std::int64_t>(tiles.size()), [&](std::int64_t n) {
    DoubtfulTile& tile = tiles[static_cast<std::size_t>(n)];
    tile.rows = run_wide(call, tile, result);
  });
  std::erase_if(tiles, [](const DoubtfulTile& tile) { return tile.rows == 0; });
  return tiles;
}

template <class T>
void write_again(const Call<T>& call, const std::vector<DoubtfulTile>& tiles,
                 AttentionResult& result) {
  const PlanData& plan = call.plan;
  std::optional<RowStatistics<T>> statistics;
  if (gathers_rows(plan.options)) statistics.emplace(result.statistics);
  for_each_row<T>(call, tiles, statistics ? &*statistics : nullptr,
                  [&](std::int64_t b, std::int64_t h, std::int64_t i, const double* output,
                      double maximum, double sum) {
                    write_output(result.output, b, h, i, output);
                    if (!result.lse.defined()) return;
                    *row_numbers_of<T>(result.lse).row(b, h, i) =
                        static_cast<T>(maximum + std::log(sum));
                  });
}

template <class T>
void write_again(const Call<T>& call, const std::vector<DoubtfulTile>& tiles,
                 AttentionState& state) {
  const RowNumbers<T> maxima = row_numbers_of<T>(state.maximum),
                      sums = row_numbers_of<T>(state.sum);
  const Heads<T> to = heads_of<T>(state.output);
  const std::int64_t size = call.plan.problem.value_size;
  for_each_row<T>(call, tiles, nullptr,
                  [&](std::int64_t b, std::int64_t h, std::int64_t i, const double* output,
                      double maximum, double sum) {
                    const auto whole = [&](std::int64_t d) { return output[d] * sum; };
                    write_state_row(whole, size, maximum, sum, to.row(b, h, i),
                                    *maxima.row(b, h, i), *sums.row(b, h, i));
                  });
}

template <class Result>
void again(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value,
           const DoubtfulRows& doubtful, Result& result) {
  if (doubtful.tiles().empty()) return;
  if (plan.problem.dtype == DType::float64) {
    write_again(Call<double>(plan, query, key, value), doubtful.tiles(), result);
  } else {
    write_again(Call<float>(plan, query, key, value), doubtful.tiles(), result);
  }
}

}  // namespace

void compute_again(const PlanData& plan, const Tensor& query, const Tensor& key,
                   const Tensor& value, const DoubtfulRows& doubtful, AttentionResult& result) {
  if (plan.pair_products() && !doubtful.tiles().empty()) {
    const Call<float> call(plan, query, key, value);
    return write_again(call, run_all_wide(call, doubtful, result), result);
  }
  again(plan, query, key, value, doubtful, result);
}

void compute_again(const PlanData& plan, const Tensor& query, const Tensor& key,
                   const Tensor& value, const DoubtfulRows& doubtful, AttentionState& state) {
  again(plan, query, key, value, doubtful, state);
}

}  // namespace foveal
