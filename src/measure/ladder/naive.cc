#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "measure/ladder/ladder.h"

namespace foveal::measure {

void naive(const Head& head) {
  std::vector<float> weights(static_cast<std::size_t>(head.keys));
  for (std::int64_t i = 0; i < head.queries; ++i) {
    const float* const query = head.query + i * head.head_size;
    float* const output = head.output + i * head.value_size;

    // S = Q K^T * scale, and the row's maximum.
    float maximum = -std::numeric_limits<float>::infinity();
    for (std::int64_t j = 0; j < head.keys; ++j) {
      const float* const key = head.key + j * head.head_size;
      float score = 0;
      for (std::int64_t d = 0; d < head.head_size; ++d) score += query[d] * key[d];
      score = head.sees(i, j) ? score * head.scale : -std::numeric_limits<float>::infinity();
      weights[j] = score;
      maximum = std::max(maximum, score);
    }

    // P = exp(S - maximum), not yet divided by its sum.
    float sum = 0;
    for (std::int64_t j = 0; j < head.keys; ++j) {
      weights[j] = head.sees(i, j) ? std::exp(weights[j] - maximum) : 0;
      sum += weights[j];
    }

    // O = P V / sum.
    for (std::int64_t d = 0; d < head.value_size; ++d) {
      float total = 0;
      for (std::int64_t j = 0; j < head.keys; ++j) {
        total += weights[j] * head.value[j * head.value_size + d];
      }
      output[d] = sum > 0 ? total / sum : 0;
    }
  }
}

}  // namespace foveal::measure
