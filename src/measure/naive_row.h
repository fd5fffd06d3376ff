#pragma once
// Attention as a plain implementation computes it, in the type of its inputs.

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "measure/exact.h"

namespace foveal::measure {

/// A number of `dtype` as it is stored, back in T.
inline double stored(double number, DType) { return number; }
inline float stored(float number, DType dtype) {
  if (dtype == DType::bfloat16) return static_cast<float>(BFloat16(number));
  if (dtype == DType::float16) return static_cast<float>(Float16(number));
  return number;
}

/// One head's inputs in T, as they come.
template <class T>
struct NaiveHead {
  const T *query, *key, *value;  // row-major
  std::int64_t keys, head_size, value_size;
  DType dtype;  ///< what stages are rounded to; T is float for bfloat16 and float16
};

/// Row i of O: sequential sums in T; P and O are rounded to the dtype, and with `round_scores` S
/// and S * scale too, as where each stage is an array of its own.
template <class T>
std::vector<T> naive_row(const NaiveHead<T>& head, const ExactHead& exact, std::int64_t i,
                         bool round_scores) {
  const auto score_stored = [&](T number) {
    return round_scores ? stored(number, head.dtype) : number;
  };
  std::vector<T> weights(static_cast<std::size_t>(head.keys));
  std::vector<T> output(static_cast<std::size_t>(head.value_size));
  const T scale = static_cast<T>(exact.scale());
  T maximum = -std::numeric_limits<T>::infinity(), sum = 0;
  for (std::int64_t j = 0; j < head.keys; ++j) {
    T score = 0;
    for (std::int64_t d = 0; d < head.head_size; ++d) {
      score += head.query[i * head.head_size + d] * head.key[j * head.head_size + d];
    }
    weights[j] = score_stored(score_stored(score) * scale);
    if (exact.visible(i, j)) maximum = std::max(maximum, weights[j]);
  }
  for (std::int64_t j = 0; j < head.keys; ++j) {
    weights[j] = exact.visible(i, j) ? std::exp(weights[j] - maximum) : 0;
    sum += weights[j];
  }
  for (std::int64_t j = 0; j < head.keys; ++j) {
    const T weight = sum > 0 ? stored(weights[j] / sum, head.dtype) : 0;
    for (std::int64_t d = 0; d < head.value_size; ++d) {
      output[d] += weight * head.value[j * head.value_size + d];
    }
  }
  for (T& number : output) number = stored(number, head.dtype);
  return output;
}

}  // namespace foveal::measure
