#include "nn/variants/packed.h"

#include "foveal/autograd.h"
#include "foveal/operations.h"

namespace foveal::nn::variants {
namespace {

Tensor identity(std::int64_t size, DType dtype) {
  Tensor result = Tensor::zeros({size, size}, dtype);
  for (std::int64_t i = 0; i < size; ++i) result.set({i, i}, 1);
  return result;
}

}  // namespace

Weights packed_weights(const PackedAttention& attention, const Linear& proj) {
  const NoGrad off;
  const std::int64_t width = proj.weight.size(0);
  const auto part = [width](const Tensor& all, std::int64_t n) {
    return all.defined() ? all.slice(0, n * width, (n + 1) * width).clone() : all;
  };
  const DType dtype = proj.weight.dtype();
  const Tensor outer = proj.weight.to(DType::float64);
  const Tensor inner = attention.out_proj.weight.to(DType::float64);
  Tensor bias = proj.bias.to(DType::float64);
  if (attention.out_proj.bias.defined()) {
    bias = bias + matmul(outer, attention.out_proj.bias.to(DType::float64));
  }
  return {part(attention.in_proj_weight, 0), part(attention.in_proj_weight, 1),
          part(attention.in_proj_weight, 2), part(attention.in_proj_bias, 0),
          part(attention.in_proj_bias, 1),   part(attention.in_proj_bias, 2),
          matmul(outer, inner).to(dtype),    bias.to(dtype)};
}

void set_packed_weights(const Weights& weights, PackedAttention& attention, Linear& proj) {
  assign(attention.in_proj_weight, cat({weights.query, weights.key, weights.value}, 0));
  if (attention.in_proj_bias.defined()) {
    assign(attention.in_proj_bias, cat({bias_or_zeros(weights.query_bias, weights.query),
                                        bias_or_zeros(weights.key_bias, weights.key),
                                        bias_or_zeros(weights.value_bias, weights.value)},
                                       0));
    assign(attention.out_proj.bias, Tensor::zeros({weights.out.size(0)}, weights.out.dtype()));
  }
  assign(attention.out_proj.weight, identity(weights.out.size(0), weights.out.dtype()));
  assign(proj.weight, weights.out);
  assign(proj.bias, bias_or_zeros(weights.out_bias, weights.out));
}

}  // namespace foveal::nn::variants
