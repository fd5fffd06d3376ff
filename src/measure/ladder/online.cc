#include <algorithm>
#include <cmath>
#include <limits>

#include "measure/ladder/ladder.h"

namespace foveal::measure {

void online(const Head& head) {
  for (std::int64_t i = 0; i < head.queries; ++i) {
    const float* const query = head.query + i * head.head_size;
    float* const output = head.output + i * head.value_size;
    std::fill(output, output + head.value_size, 0.0f);
    float maximum = -std::numeric_limits<float>::infinity(), sum = 0;

    for (std::int64_t j = 0; j < head.keys; ++j) {
      if (!head.sees(i, j)) continue;
      const float* const key = head.key + j * head.head_size;
      const float* const value = head.value + j * head.value_size;
      float score = 0;
      for (std::int64_t d = 0; d < head.head_size; ++d) score += query[d] * key[d];
      score *= head.scale;

      // All sums so far stand for exp(S - maximum): a new maximum rescales them.
      if (score > maximum) {
        const float factor = std::exp(maximum - score);
        for (std::int64_t d = 0; d < head.value_size; ++d) output[d] *= factor;
        sum *= factor;
        maximum = score;
      }
      const float weight = std::exp(score - maximum);
      for (std::int64_t d = 0; d < head.value_size; ++d) output[d] += weight * value[d];
      sum += weight;
    }

    for (std::int64_t d = 0; d < head.value_size; ++d) output[d] = sum > 0 ? output[d] / sum : 0;
  }
}

}  // namespace foveal::measure
