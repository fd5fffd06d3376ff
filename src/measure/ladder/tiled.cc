#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "measure/ladder/ladder.h"

namespace foveal::measure {
namespace {

// A tile's scores are 16 kB, so that they stay in the first cache. The inner loops run over
// queries: a row's maximum and sum then need no sum across lanes, and their length is known.
constexpr int kQueries = 64, kKeys = 64;
constexpr float kHidden = -1e30f;  // not -inf: a difference of two of them must be a number

using Lanes = float[kQueries];

struct Tile {
  std::vector<Lanes> query, output;  // Q^T scaled, O^T: [d][query]
  Lanes scores[kKeys];               // S, then P: [key][query]
  Lanes maximum, sum;

  explicit Tile(const Head& head)
      : query(static_cast<std::size_t>(head.head_size)),
        output(static_cast<std::size_t>(head.value_size)) {}
};

void begin(Tile& tile, const Head& head, std::int64_t first, int count) {
  for (std::int64_t d = 0; d < head.head_size; ++d) {
    for (int q = 0; q < kQueries; ++q) {
      const float number = q < count ? head.query[(first + q) * head.head_size + d] : 0;
      tile.query[d][q] = number * head.scale;
    }
  }
  for (Lanes& row : tile.output) std::fill_n(row, kQueries, 0.0f);
  std::fill_n(tile.maximum, kQueries, kHidden);
  std::fill_n(tile.sum, kQueries, 0.0f);
}

/// S = K Q^T: four keys at a time, so that each number of Q^T is used four times once it is loaded.
void multiply_scores(Tile& tile, const Head& head, std::int64_t key, int count) {
  for (int j = 0; j < count; j += 4) {
    const float* rows[4];
    for (int r = 0; r < 4; ++r) {
      rows[r] = head.key + (key + std::min(j + r, count - 1)) * head.head_size;
      std::fill_n(tile.scores[j + r], kQueries, 0.0f);
    }
    for (std::int64_t d = 0; d < head.head_size; ++d) {
      const float* const query = tile.query[d];
      const float k0 = rows[0][d], k1 = rows[1][d], k2 = rows[2][d], k3 = rows[3][d];
      for (int q = 0; q < kQueries; ++q) {
        tile.scores[j][q] += k0 * query[q];
        tile.scores[j + 1][q] += k1 * query[q];
        tile.scores[j + 2][q] += k2 * query[q];
        tile.scores[j + 3][q] += k3 * query[q];
      }
    }
  }
}

void hide(Tile& tile, const Head& head, std::int64_t first, int queries, std::int64_t key,
          int keys) {
  for (int j = 0; j < keys; ++j) {
    for (int q = 0; q < queries; ++q) {
      if (!head.sees(first + q, key + j)) tile.scores[j][q] = kHidden;
    }
  }
}

/// Scores become weights; what has been summed so far is brought to the new maximum.
void exponentiate(Tile& tile, int count) {
  Lanes factor;
  for (int q = 0; q < kQueries; ++q) {
    float maximum = tile.maximum[q];
    for (int j = 0; j < count; ++j) maximum = std::max(maximum, tile.scores[j][q]);
    factor[q] = std::exp(tile.maximum[q] - maximum);
    tile.maximum[q] = maximum;
    tile.sum[q] *= factor[q];
  }
  for (Lanes& row : tile.output) {
    for (int q = 0; q < kQueries; ++q) row[q] *= factor[q];
  }
  for (int j = 0; j < count; ++j) {
    for (int q = 0; q < kQueries; ++q) {
      const float score = tile.scores[j][q];
      tile.scores[j][q] = score == kHidden ? 0 : std::exp(score - tile.maximum[q]);
      tile.sum[q] += tile.scores[j][q];
    }
  }
}

/// O^T += V^T P, four keys at a time.
void multiply_values(Tile& tile, const Head& head, std::int64_t key, int count) {
  for (int j = count; j % 4 != 0; ++j) std::fill_n(tile.scores[j], kQueries, 0.0f);
  for (int j = 0; j < count; j += 4) {
    const float* rows[4];
    for (int r = 0; r < 4; ++r) {
      rows[r] = head.value + (key + std::min(j + r, count - 1)) * head.value_size;
    }
    for (std::int64_t d = 0; d < head.value_size; ++d) {
      float* const output = tile.output[d];
      const float v0 = rows[0][d], v1 = rows[1][d], v2 = rows[2][d], v3 = rows[3][d];
      for (int q = 0; q < kQueries; ++q) {
        output[q] += v0 * tile.scores[j][q] + v1 * tile.scores[j + 1][q] +
                     v2 * tile.scores[j + 2][q] + v3 * tile.scores[j + 3][q];
      }
    }
  }
}

void end(const Tile& tile, const Head& head, std::int64_t first, int count) {
  for (int q = 0; q < count; ++q) {
    float* const output = head.output + (first + q) * head.value_size;
    for (std::int64_t d = 0; d < head.value_size; ++d) {
      output[d] = tile.sum[q] > 0 ? tile.output[d][q] / tile.sum[q] : 0;
    }
  }
}

}  // namespace

void tiled(const Head& head) {
  Tile tile(head);
  for (std::int64_t first = 0; first < head.queries; first += kQueries) {
    const int queries = static_cast<int>(std::min<std::int64_t>(kQueries, head.queries - first));
    begin(tile, head, first, queries);
    for (std::int64_t key = 0; key < head.keys; key += kKeys) {
      const int keys = static_cast<int>(std::min<std::int64_t>(kKeys, head.keys - key));
      multiply_scores(tile, head, key, keys);
      if (head.visible != nullptr) hide(tile, head, first, queries, key, keys);
      exponentiate(tile, keys);
      multiply_values(tile, head, key, keys);
    }
    end(tile, head, first, queries);
  }
}

}  // namespace foveal::measure
