#pragma once
// Statistics of one tile of queries, gathered from tiles of weights.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "attention/engine/top_k.h"
#include "kernels/forward_task.h"

namespace foveal {

/// P of one tile of keys as the kernels give it: [key][query], rows `stride` apart.
template <class T>
struct WeightTile {
  const T* weights;
  std::int64_t stride;
  KeyTile keys;

  T at(std::int64_t key, std::int64_t query) const { return weights[key * stride + query]; }
};

/// Top-k, entropy and maximum of each row of the tile.
template <class T>
class RowStatistics {
 public:
  RowStatistics(std::int64_t k, bool entropy, bool maximum)
      : tops_(k > 0 ? 64 : 0, TopK<T>(k)), entropy_wanted_(entropy), maximum_wanted_(maximum) {}

  void begin() {
    for (TopK<T>& top : tops_) top.clear();
    entropy_.fill(0);
    maximum_.fill(0);
  }

  void add(const ForwardTask<T>& task, const WeightTile<T>& tile) {
    for (std::int64_t key = 0; key < tile.keys.count; ++key) {
      if (entropy_wanted_) add_entropy(task, tile, key);
      if (maximum_wanted_) add_maximum(task, tile, key);
      if (!tops_.empty()) add_to_tops(task, tile, key);
    }
  }

  TopK<T>& top(std::int64_t q) { return tops_[static_cast<std::size_t>(q)]; }
  /// Rounding may leave a weight above 1: no entropy is below 0.
  double entropy(std::int64_t q) const {
    const double sum = entropy_[static_cast<std::size_t>(q)];
    return sum < 0 ? 0 : sum;
  }
  T maximum(std::int64_t q) const { return maximum_[static_cast<std::size_t>(q)]; }

 private:
  void add_entropy(const ForwardTask<T>& task, const WeightTile<T>& tile, std::int64_t key) {
    for (std::int64_t q = 0; q < task.query_count; ++q) {
      const T weight = tile.at(key, q);
      if (weight != 0) entropy_[static_cast<std::size_t>(q)] -= double{weight} * std::log(weight);
    }
  }

  void add_maximum(const ForwardTask<T>& task, const WeightTile<T>& tile, std::int64_t key) {
    for (std::int64_t q = 0; q < task.query_count; ++q) {
      T& maximum = maximum_[static_cast<std::size_t>(q)];
      const T weight = tile.at(key, q);
      if (weight > maximum || std::isnan(weight)) maximum = weight;
    }
  }

  void add_to_tops(const ForwardTask<T>& task, const WeightTile<T>& tile, std::int64_t key) {
    for (std::int64_t q = 0; q < task.query_count; ++q) {
      TopK<T>& row = top(q);
      const T weight = tile.at(key, q);
      // A visible key counts even where its weight is too small for a number.
      if (weight == 0 && (row.full() || !visible(tile.keys, key, q))) continue;
      row.offer(weight, tile.keys.first + key);
    }
  }

  static bool visible(const KeyTile& keys, std::int64_t key, std::int64_t q) {
    return keys.bits == nullptr || ((keys.bits[key] >> q) & 1) != 0;
  }

  std::vector<TopK<T>> tops_;  // a row each, none where not asked for
  std::array<double, 64> entropy_{};
  std::array<T, 64> maximum_{};
  bool entropy_wanted_, maximum_wanted_;
};

}  // namespace foveal
