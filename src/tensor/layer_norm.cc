// layer_norm: lines along the last axis with mean 0 and variance 1 (Ba, Kiros and Hinton, 2016).

#include <cmath>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/check.h"
#include "tensor/operation.h"
#include "tensor/wide_rows.h"

namespace foveal {
namespace {

struct Moments {
  double mean, scale;  // scale = 1 / sqrt(variance + eps)
};

template <class T>
Moments moments_of(const T* line, std::int64_t count, double eps) {
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(line[i]);
  const double mean = sum / static_cast<double>(count);
  for (std::int64_t i = 0; i < count; ++i) {
    const double off = static_cast<double>(line[i]) - mean;
    squares += off * off;
  }
  return {mean, 1 / std::sqrt(squares / static_cast<double>(count) + eps)};
}

/// work(row's place) for each row of a contiguous float32 or float64 tensor, on all threads.
template <class Work>
void for_each_row(const Tensor& rows, const Work& work) {
  const std::int64_t count = rows.size(-1);
  for_rows(rows, 4, [=](std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) work(row * count);
  });
}

/// (x - mean) / sqrt(variance + eps), for x contiguous, float32 or float64.
template <class T>
Tensor standardised(const Tensor& x, double eps) {
  Tensor out = TensorBuilder::empty(x.shape(), x.dtype());
  const std::int64_t count = x.size(-1);
  const T* const from = x.data<T>();
  T* const to = TensorBuilder::written<T>(out);
  for_each_row(x, [=](std::int64_t place) {
    const Moments moments = moments_of(from + place, count, eps);
    for (std::int64_t i = place; i < place + count; ++i) {
      to[i] = static_cast<T>((static_cast<double>(from[i]) - moments.mean) * moments.scale);
    }
  });
  return out;
}

Tensor standardised(const Tensor& x, double eps) {
  return x.dtype() == DType::float64 ? standardised<double>(x, eps) : standardised<float>(x, eps);
}

/// scale (grad - mean of grad - s times the mean of grad s), s the standardised x.
template <class T>
Tensor gradient_of_x(const Tensor& x, const Tensor& s, const Tensor& grad, double eps) {
  Tensor out = TensorBuilder::empty(x.shape(), x.dtype());
  const std::int64_t count = x.size(-1);
  const T* const from = x.data<T>();
  const T* const standard = s.data<T>();
  const T* const grads = grad.data<T>();
  T* const to = TensorBuilder::written<T>(out);
  for_each_row(x, [=](std::int64_t place) {
    double sum = 0, along = 0;
    for (std::int64_t i = place; i < place + count; ++i) {
      sum += static_cast<double>(grads[i]);
      along += static_cast<double>(grads[i]) * static_cast<double>(standard[i]);
    }
    sum /= static_cast<double>(count);
    along /= static_cast<double>(count);
    const double scale = moments_of(from + place, count, eps).scale;
    for (std::int64_t i = place; i < place + count; ++i) {
      to[i] = static_cast<T>(
          scale * (static_cast<double>(grads[i]) - sum - static_cast<double>(standard[i]) * along));
    }
  });
  return out;
}

/// Inputs: x, and weight and bias where `has_weight` and `has_bias`.
class LayerNorm final : public OperationOf<LayerNorm> {
 public:
  LayerNorm(double eps, bool has_weight, bool has_bias)
      : eps_(eps), has_weight_(has_weight), has_bias_(has_bias) {}

  const char* name() const override { return "layer_norm"; }
  Form form(Inputs inputs) const override;
  void compute(Inputs inputs, Tensor& out) const override;
  Saves saves(InputSet) const override { return {has_weight_ ? InputSet{3} : InputSet{1}}; }
  Tensors gradient(const Recorded& call) const override;

 private:
  void require_vector(const Tensor& x, const Tensor& given, const char* argument) const;

  double eps_;
  bool has_weight_, has_bias_;
};

void LayerNorm::require_vector(const Tensor& x, const Tensor& given, const char* argument) const {
  require_same_dtype(x, "x", given, argument, "layer_norm");
  if (given.shape() == Shape{x.size(-1)}) return;
  throw Error("layer_norm: " + std::string(argument) + " has shape " + to_string(given.shape()) +
              " but x has shape " + to_string(x.shape()) + ": it must be (" +
              std::to_string(x.size(-1)) + "), one number for each place of the last axis");
}

Form LayerNorm::form(Inputs inputs) const {
  const Tensor& x = inputs[0];
  require_defined(x, "layer_norm", "x");
  require_floating(x, "layer_norm", "x");
  if (x.rank() == 0) {
    throw Error("layer_norm: x has shape (): it must have a last axis to go along");
  }
  if (has_weight_) require_vector(x, inputs[1], "weight");
  if (has_bias_) require_vector(x, inputs[inputs.size() - 1], "bias");
  return {x.shape(), x.dtype()};
}

void LayerNorm::compute(Inputs inputs, Tensor& out) const {
  const DType wide = wide_dtype(out.dtype());
  Tensor result = standardised(inputs[0].to(wide).contiguous(), eps_);
  if (has_weight_) result = result * inputs[1].to(wide);
  if (has_bias_) result = result + inputs[inputs.size() - 1].to(wide);
  out.copy_(result);
}

Tensors LayerNorm::gradient(const Recorded& call) const {
  const DType dtype = call.grad.dtype(), wide = wide_dtype(dtype);
  const Tensor x = call.inputs[0].to(wide).contiguous(), s = standardised(x, eps_);
  const Tensor grad = call.grad.to(wide).contiguous();
  Tensors result(call.forms.size());
  if (holds(call.wanted, 0)) {
    const Tensor weighed = has_weight_ ? grad * call.inputs[1].to(wide) : grad;
    result[0] = (wide == DType::float64 ? gradient_of_x<double>(x, s, weighed, eps_)
                                        : gradient_of_x<float>(x, s, weighed, eps_))
                    .to(dtype);
  }
  // The caller sums over rows.
  if (has_weight_ && holds(call.wanted, 1)) result[1] = (grad * s).to(dtype);
  if (has_bias_ && holds(call.wanted, call.forms.size() - 1)) result.back() = call.grad;
  return result;
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  if (!(eps >= 0)) {
    throw Error("layer_norm: eps is " + std::to_string(eps) + ": it must be 0 or more");
  }
  const LayerNorm operation(eps, weight.defined(), bias.defined());
  if (weight.defined() && bias.defined()) return apply(operation, {x, weight, bias});
  if (weight.defined()) return apply(operation, {x, weight});
  return bias.defined() ? apply(operation, {x, bias}) : apply(operation, {x});
}

}  // namespace foveal
