#include "foveal/nn/layers.h"

#include <cmath>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "foveal/random.h"
#include "nn/checks.h"
#include "nn/uniform.h"
#include "tensor/numbers.h"

namespace foveal::nn {
namespace {

/// 1 / sqrt(d_in) by the way of kaiming_uniform(a = sqrt(5)), whose roundings differ a little.
double kaiming_bound(std::int64_t d_in) {
  const double a = std::sqrt(5.0);
  const double gain = std::sqrt(2.0 / (1 + a * a));
  return std::sqrt(3.0) * (gain / std::sqrt(static_cast<double>(d_in)));
}

}  // namespace

Linear::Linear(std::int64_t d_in, std::int64_t d_out, bool has_bias, Generator& generator) {
  check_at_least_one("Linear", "d_in", d_in);
  check_at_least_one("Linear", "d_out", d_out);
  weight = uniform({d_out, d_in}, kaiming_bound(d_in), generator);
  register_parameter("weight", weight);
  if (!has_bias) return;
  bias = uniform({d_out}, 1 / std::sqrt(static_cast<double>(d_in)), generator);
  register_parameter("bias", bias);
}

Tensor Linear::forward(const Tensor& x) const { return linear(x, weight, bias); }

Embedding::Embedding(std::int64_t count, std::int64_t width, Generator& generator) {
  check_at_least_one("Embedding", "count", count);
  check_at_least_one("Embedding", "width", width);
  weight = randn({count, width}, generator);
  register_parameter("weight", weight);
}

Tensor Embedding::forward(const Tensor& ids) const { return embedding(weight, ids); }

Dropout::Dropout(double p, const Generator& generator) : p_(p), generator_(generator) {
  if (p >= 0 && p <= 1) return;
  throw Error("Dropout: p is " + number_text(p) + ": it must be from 0 to 1");
}

Tensor Dropout::forward(const Tensor& x) const {
  return is_training() ? foveal::dropout(x, p_, generator_) : x;
}

Tensor Dropout::draw_mask(const Shape& shape) const {
  if (!is_training() || p_ == 0 || p_ == 1) return {};
  return foveal::dropout_mask(shape, p_, generator_, DType::boolean);
}

LayerNorm::LayerNorm(std::int64_t width, double given_eps) : eps(given_eps) {
  check_at_least_one("LayerNorm", "width", width);
  if (!(eps >= 0)) throw Error("LayerNorm: eps is " + number_text(eps) + ": it must be 0 or more");
  weight = Tensor::ones({width});
  bias = Tensor::zeros({width});
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}

Tensor LayerNorm::forward(const Tensor& x) const { return layer_norm(x, weight, bias, eps); }

Tensor GELU::forward(const Tensor& x) const { return gelu(x, form_); }

Tensor Sequential::forward(const Tensor& x) const {
  Tensor result = x;
  for (const Module* module : *this) result = module->forward(result);
  return result;
}

}  // namespace foveal::nn
