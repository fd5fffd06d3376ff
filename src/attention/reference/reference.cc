#include "foveal/reference.h"

#include <cmath>
#include <limits>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/numbers.h"

namespace foveal::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// "query has shape (2, 3)".
std::string described(const std::string& name, const Tensor& tensor) {
  return name + " has shape " + to_string(tensor.shape());
}

/// `tensor` is a floating (..., rows, columns).
void check_matrices(const std::string& function, const std::string& name, const Tensor& tensor) {
  if (!tensor.defined()) throw Error(function + ": " + name + " is undefined: give a tensor");
  if (tensor.rank() < 2) {
    throw Error(function + ": " + described(name, tensor) +
                ": it must have two axes or more, the last two being length and size");
  }
  if (!is_floating(tensor.dtype())) {
    throw Error(function + ": " + name + " is " + to_string(tensor.dtype()) +
                ": it must be floating; convert it with to(DType::float32)");
  }
}

void check_same_dtype(const std::string& function, const std::string& name_a, const Tensor& a,
                      const std::string& name_b, const Tensor& b) {
  if (a.dtype() == b.dtype()) return;
  throw Error(function + ": " + name_a + " is " + to_string(a.dtype()) + " but " + name_b + " is " +
              to_string(b.dtype()) + ": they must be equal; convert one with to()");
}

/// All axes but the last two: batch and heads.
void check_broadcast(const std::string& function, const std::string& name_a, const Tensor& a,
                     const std::string& name_b, const Tensor& b) {
  const auto leading = [](const Tensor& tensor) {
    return Shape(tensor.shape().begin(), tensor.shape().end() - 2);
  };
  broadcast_shapes(leading(a), leading(b),
                   function + ": " + described(name_a, a) + " but " + described(name_b, b) +
                       ": axes before the last two");
}

void check_probability(const std::string& function, double p) {
  if (p >= 0 && p <= 1) return;
  throw Error(function + ": p is " + number_text(p) + ": it must be from 0 to 1");
}

double default_scale(const Tensor& query) {
  const std::int64_t head_size = query.size(-1);
  if (head_size == 0) {
    throw Error("attention: " + described("query", query) +
                ": with a head size D of 0 there is no 1 / sqrt(D); give a scale");
  }
  return 1 / std::sqrt(static_cast<double>(head_size));
}

}  // namespace

Tensor scores(const Tensor& query, const Tensor& key) {
  check_matrices("scores", "query", query);
  check_matrices("scores", "key", key);
  check_same_dtype("scores", "query", query, "key", key);
  if (query.size(-1) != key.size(-1)) {
    throw Error("scores: " + described("query", query) + " but " + described("key", key) +
                ": head sizes (last axis) must be equal");
  }
  check_broadcast("scores", "query", query, "key", key);
  return matmul(query, key.transpose(-2, -1));
}

Tensor scaled_scores(const Tensor& scores, double scale) {
  check_matrices("scaled_scores", "scores", scores);
  if (!std::isfinite(scale)) {
    throw Error("scaled_scores: scale is " + number_text(scale) + ": it must be finite");
  }
  return scores * scale;
}

Tensor masked_scores(const Tensor& scores, const Tensor& mask) {
  check_matrices("masked_scores", "scores", scores);
  if (!mask.defined() || mask.dtype() != DType::boolean) {
    throw Error("masked_scores: mask is " +
                (mask.defined() ? to_string(mask.dtype()) : std::string("undefined")) +
                ": it must be bool, true where a key may be attended to; convert it with "
                "to(DType::boolean)");
  }
  if (broadcast_shapes(scores.shape(), mask.shape(), "masked_scores: scores and mask") !=
      scores.shape()) {
    throw Error("masked_scores: " + described("mask", mask) + " but " +
                described("scores", scores) + ": a mask must broadcast to the scores' shape");
  }
  return masked_fill(scores, logical_not(mask), -kInfinity);
}

Tensor weights(const Tensor& masked_scores) {
  check_matrices("weights", "masked_scores", masked_scores);
  return softmax(masked_scores, -1);
}

Tensor dropped_weights(const Tensor& weights, const Tensor& dropout_mask, double p) {
  check_matrices("dropped_weights", "weights", weights);
  check_matrices("dropped_weights", "dropout_mask", dropout_mask);
  check_probability("dropped_weights", p);
  check_same_dtype("dropped_weights", "weights", weights, "dropout_mask", dropout_mask);
  if (weights.shape() != dropout_mask.shape()) {
    throw Error("dropped_weights: " + described("weights", weights) + " but " +
                described("dropout_mask", dropout_mask) + ": they must be equal");
  }
  if (p == 1) return weights * 0.0;
  return weights * (dropout_mask / (1 - p));
}

Tensor context(const Tensor& weights, const Tensor& value) {
  check_matrices("context", "weights", weights);
  check_matrices("context", "value", value);
  check_same_dtype("context", "weights", weights, "value", value);
  if (weights.size(-1) != value.size(-2)) {
    throw Error("context: " + described("weights", weights) + " but " + described("value", value) +
                ": there must be one value for each key (last axis of weights)");
  }
  check_broadcast("context", "weights", weights, "value", value);
  return matmul(weights, value);
}

Tensor causal_mask(std::int64_t query_length, std::int64_t key_length) {
  return tril(Tensor::ones({query_length, key_length})).to(DType::boolean);
}

Stages attention(const Tensor& query, const Tensor& key, const Tensor& value,
                 const Options& options) {
  check_matrices("attention", "value", value);
  check_probability("attention", options.dropout);
  if (options.dropout > 0 && !options.dropout_mask.defined()) {
    throw Error("attention: dropout is " + number_text(options.dropout) +
                " but dropout_mask is undefined: draw it with dropout_mask()");
  }
  Stages stages;
  stages.scores = scores(query, key);
  const double scale = options.scale ? *options.scale : default_scale(query);
  stages.scaled_scores = scaled_scores(stages.scores, scale);

  Tensor logits = stages.scaled_scores;
  if (options.mask.defined()) logits = stages.masked_scores = masked_scores(logits, options.mask);
  stages.weights = weights(logits);

  Tensor kept = stages.weights;
  if (options.dropout_mask.defined()) {
    kept = stages.dropped_weights = dropped_weights(kept, options.dropout_mask, options.dropout);
  }
  stages.context = context(kept, value);
  return stages;
}

}  // namespace foveal::reference
