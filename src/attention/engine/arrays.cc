#include "attention/engine/arrays.h"

#include <cmath>

namespace foveal {

Tensor unit_rows(const Tensor& tensor) {
  const bool unit = tensor.size(-1) == 1 || tensor.strides().back() == 1;
  return unit ? tensor : tensor.contiguous();
}

Tensor broadcast_bias(const Tensor& bias, const Problem& problem) {
  Shape four(4 - static_cast<std::size_t>(bias.rank()), 1);
  four.insert(four.end(), bias.shape().begin(), bias.shape().end());
  return bias.reshape(four).expand(problem.score_shape());
}

double scale_of(const PlanData& plan) {
  return plan.options.scale.value_or(1 / std::sqrt(static_cast<double>(plan.problem.head_size)));
}

DropoutCounter dropout_counter(const AttentionOptions& options) {
  DropoutCounter counter;
  counter.seed = options.seed;
  counter.offset = options.offset;
  counter.threshold = static_cast<std::uint64_t>(std::ceil(options.dropout * 4294967296.0));
  counter.scale = options.dropout < 1 ? 1 / (1 - options.dropout) : 0;
  return counter;
}

}  // namespace foveal
