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
  const DType dtype = proj.weight.dtype();
  const Tensor outer = proj.weight.to(DType::float64);
  const Tensor inner = attention.out_proj.weight.to(DType::float64);
  Tensor bias = proj.bias.to(DType::float64);
  if (attention.out_proj.bias.defined()) {
    bias = bias + matmul(outer, attention.out_proj.bias.to(DType::float64));
  }
  Weights result = packed_rows(attention.in_proj_weight, attention.in_proj_bias);
  result.out = matmul(outer, inner).to(dtype);
  result.out_bias = bias.to(dtype);
  return result;
}

void set_packed_weights(const Weights& weights, PackedAttention& attention, Linear& proj) {
  set_packed_rows(weights, attention.in_proj_weight, attention.in_proj_bias);
  assign(attention.out_proj, identity(weights.out.size(0), weights.out.dtype()), Tensor());
  assign(proj, weights.out, weights.out_bias);
}

}  // namespace foveal::nn::variants
