// Weights, column mass and rows in full: a second pass over the scores, each row against the lse
// that the first pass gave, so that a tile's scores become P at once and nothing of size L_q x L_k
// is kept. Scores round differently than in the first pass: the tiles are walked twice, for the
// rows' sums and then for P, so that the weights of a row sum to 1 whatever the size of its scores.

#include <array>

#include "attention/engine/call.h"
#include "attention/engine/engine.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/results.h"
#include "attention/engine/split_lse.h"
#include "attention/engine/workspace.h"
#include "core/thread_pool.h"

namespace foveal {
namespace {

/// P of one tile of keys as the kernels give it: [key][query], rows `stride` apart.
template <class T>
struct WeightTile {
  const T* weights;
  std::int64_t stride;
  KeyTile keys;

  T at(std::int64_t key, std::int64_t query) const { return weights[key * stride + query]; }
};

/// Selected queries and where each goes in the result, by query.
using RowPlaces = std::vector<std::pair<std::int64_t, std::int64_t>>;

RowPlaces row_places(const std::vector<std::int64_t>& rows) {
  RowPlaces places;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    places.emplace_back(rows[n], static_cast<std::int64_t>(n));
  }
  std::sort(places.begin(), places.end());
  return places;
}

template <class T>
class SecondPass {
 public:
  SecondPass(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value,
             AttentionResult& result)
      : plan_(plan),
        asked_(plan.options.statistics),
        call_(plan, query, key, value),
        places_(row_places(asked_.rows)),
        result_(result) {
    call_.lse = row_numbers_of<T>(result.lse);
    const Problem& p = plan.problem;
    constexpr DType dtype = dtype_of<T>();
    if (asked_.column_mass) {
      made_.column_mass = Tensor::zeros({p.batch, p.heads, p.key_length}, dtype);
    }
    if (!asked_.rows.empty()) {
      const auto rows = static_cast<std::int64_t>(asked_.rows.size());
      made_.rows = Tensor::zeros({p.batch, p.heads, rows, p.key_length}, dtype);
    }
  }

  void run() {
    for (const SequencePlan& sequence : plan_.sequences) run(sequence);
    give_statistics(result_.statistics, made_);
  }

 private:
  /// One head of one batch entry.
  struct Head {
    std::int64_t b, h, number;
  };

  /// Head `index` of those of a sequence.
  Head head(const SequencePlan& sequence, std::int64_t index) const {
    const std::int64_t heads = plan_.problem.heads;
    const std::int64_t number = sequence.sequence.first_entry * heads + index;
    return {number / heads, number % heads, number};
  }

  void run(const SequencePlan& sequence) {
    const std::int64_t pieces = std::min(kStatisticsPieces, sequence.query_tiles);
    const std::int64_t heads = sequence.sequence.entries * plan_.problem.heads;
    const std::int64_t keys = sequence.sequence.key_length;
    std::vector<double> masses;  // [head][piece][key]
    if (asked_.column_mass) masses.assign(static_cast<std::size_t>(heads * pieces * keys), 0);
    parallel_for(heads * pieces, [&](std::int64_t task) {
      const std::int64_t piece = task % pieces;
      double* const mass = masses.data() + (asked_.column_mass ? task * keys : 0);
      for (std::int64_t tile = piece * sequence.query_tiles / pieces;
           tile < (piece + 1) * sequence.query_tiles / pieces; ++tile) {
        run_tile(sequence, head(sequence, task / pieces), tile, mass);
      }
    });
    if (!asked_.column_mass) return;
    parallel_for(heads, [&](std::int64_t index) {
      add_masses(sequence, head(sequence, index).number, pieces,
                 masses.data() + index * pieces * keys);
    });
  }

  void run_tile(const SequencePlan& sequence, const Head& head, std::int64_t tile, double* mass) {
    const ForwardKernels<T>& kernels = forward_kernels<T>(*plan_.target);
    ForwardTask<T> task = call_.task(sequence.sequence, head.b, head.h, tile);
    const bool all = plan_.options.return_weights || asked_.column_mass;
    if (!all && first_place(sequence.sequence, task) == places_.end()) return;
    task.value_size = 0;
    std::array<T, 64> factors;
    RowLse<T> rows;
    if (is_large(task.lse, task.query_count)) {
      rows = row_lse(call_, sequence, head.b, head.h, tile);
      task.lse = rows.maximum.data();
      task.apart = true;
    }
    task.workspace = workspace<T>(kernels.workspace(task.head_size, 0));
    kernels.weights_begin(task);
    for_each_key_tile(task, sequence, head.b, head.h, tile, plan_.query_tile,
                      [&](const KeyTile& keys) { kernels.weights_tile(task, keys, nullptr); });
    kernels.weights_factors(task, factors.data());
    for_each_key_tile(
        task, sequence, head.b, head.h, tile, plan_.query_tile, [&](const KeyTile& keys) {
          const WeightTile<T> weights{kernels.weights_tile(task, keys, factors.data()),
                                      kernels.query_tile, keys};
          if (asked_.column_mass) add_mass(task, weights, mass);
          copy_weights(sequence.sequence, head, task, weights);
        });
  }

  static void add_mass(const ForwardTask<T>& task, const WeightTile<T>& tile, double* mass) {
    for (std::int64_t key = 0; key < tile.keys.count; ++key) {
      double sum = 0;
      for (std::int64_t q = 0; q < task.query_count; ++q) sum += tile.at(key, q);
      mass[tile.keys.first + key] += sum;
    }
  }

  void add_masses(const SequencePlan& sequence, std::int64_t number, std::int64_t pieces,
                  const double* masses) {
    const std::int64_t keys = sequence.sequence.key_length;
    T* const sum = made_.column_mass.template data<T>() + number * plan_.problem.key_length +
                   sequence.sequence.first_key;
    for (std::int64_t key = 0; key < keys; ++key) {
      double mass = 0;
      for (std::int64_t piece = 0; piece < pieces; ++piece) mass += masses[piece * keys + key];
      sum[key] = static_cast<T>(mass);
    }
  }

  /// Into the weights and the selected rows, where they are asked for.
  void copy_weights(const Sequence& sequence, const Head& head, const ForwardTask<T>& task,
                    const WeightTile<T>& tile) {
    const std::int64_t length = plan_.problem.key_length;
    const std::int64_t first = sequence.first_query + task.first_query;
    const auto copy_row = [&](T* row, std::int64_t q) {
      row += sequence.first_key + tile.keys.first;
      for (std::int64_t key = 0; key < tile.keys.count; ++key) row[key] = tile.at(key, q);
    };
    if (plan_.options.return_weights) {
      const Heads<T> rows = heads_of<T>(result_.weights);
      for (std::int64_t q = 0; q < task.query_count; ++q) {
        copy_row(rows.row(head.b, head.h, first + q), q);
      }
    }
    const auto count = static_cast<std::int64_t>(places_.size());
    if (count == 0) return;
    T* const selected = made_.rows.template data<T>() + head.number * count * length;
    for (auto place = first_place(sequence, task);
         place != places_.end() && place->first < first + task.query_count; ++place) {
      copy_row(selected + place->second * length, place->first - first);
    }
  }

  /// The first of the selected queries that the task holds, or the end.
  RowPlaces::const_iterator first_place(const Sequence& sequence,
                                        const ForwardTask<T>& task) const {
    const std::int64_t first = sequence.first_query + task.first_query;
    const auto place =
        std::lower_bound(places_.begin(), places_.end(), std::pair(first, std::int64_t{0}));
    const bool held = place != places_.end() && place->first < first + task.query_count;
    return held ? place : places_.end();
  }

  const PlanData& plan_;
  const StatisticsOptions& asked_;
  Call<T> call_;
  RowPlaces places_;
  AttentionResult& result_;
  Statistics made_;
};

}  // namespace

void add_statistics(const PlanData& plan, const CallInputs& inputs, AttentionResult& result) {
  const auto& [query, key, value] = inputs;
  if (plan.problem.dtype == DType::float64) {
    SecondPass<double>(plan, query, key, value, result).run();
  } else {
    SecondPass<float>(plan, query, key, value, result).run();
  }
}

}  // namespace foveal
