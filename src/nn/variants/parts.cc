#include "nn/variants/parts.h"

#include <cmath>
#include <limits>

#include "foveal/autograd.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "nn/checks.h"

namespace foveal::nn::variants {

Variant::Variant(const char* class_name, const MultiHeadAttentionOptions& options)
    : class_name_(class_name), options_(options) {
  check_at_least_one(class_name, "d_in", options.d_in);
  check_at_least_one(class_name, "d_out", options.d_out);
  check_at_least_one(class_name, "context_length", options.context_length);
  check_at_least_one(class_name, "num_heads", options.num_heads);
  if (options.d_out % options.num_heads == 0) return;
  throw Error(std::string(class_name) + ": d_out is " + std::to_string(options.d_out) +
              " and num_heads " + std::to_string(options.num_heads) +
              ": d_out must be divisible by num_heads");
}

void Variant::check(const Tensor& x) const {
  check_batch(class_name_, x, options_.d_in, options_.context_length);
}

FusedDropout::FusedDropout(const char* class_name, double p, const Generator& generator)
    : p_(p), generator_(generator) {
  if (p >= 0 && p <= 1) return;
  throw Error(std::string(class_name) + ": dropout is " + std::to_string(p) +
              ": it must be from 0 to 1");
}

void FusedDropout::add_to(AttentionOptions& options, bool is_training) const {
  if (!is_training || p_ == 0) return;
  options.dropout = p_;
  options.seed = generator_.next_u64();
}

Tensor split_heads(const Tensor& x, std::int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

Tensor join_heads(const Tensor& context) {
  const Tensor tokens = context.transpose(1, 2);
  return tokens.reshape({tokens.size(0), tokens.size(1), tokens.size(2) * tokens.size(3)});
}

std::vector<Tensor> split_qkv(const Tensor& qkv, std::int64_t heads) {
  const std::int64_t size = qkv.size(2) / 3 / heads;
  return unbind(qkv.view({qkv.size(0), qkv.size(1), 3, heads, size}).permute({2, 0, 3, 1, 4}), 0);
}

Tensor step_by_step(const Tensor& queries, const Tensor& keys, const Tensor& values,
                    const Tensor& drop, const Dropout& dropout) {
  Tensor scores = matmul(queries, keys.transpose(2, 3));
  scores.masked_fill_(drop, -std::numeric_limits<double>::infinity());
  const double root = std::sqrt(static_cast<double>(keys.size(-1)));
  scores = scores / root;  // what they were is let go of
  const Tensor weights = dropout.forward(softmax(scores, -1));
  return matmul(weights, values);
}

Tensor corner(const Tensor& mask, std::int64_t length) {
  return mask.slice(0, 0, length).slice(1, 0, length);
}

void assign(Tensor parameter, const Tensor& value) {
  const NoGrad writes_in_place;
  parameter.copy_(value);
}

void assign(const Linear& layer, const Tensor& weight, const Tensor& bias) {
  assign(layer.weight, weight);
  if (layer.bias.defined()) assign(layer.bias, bias_or_zeros(bias, weight));
}

Tensor copy_of(const Tensor& parameter) {
  return parameter.defined() ? parameter.detach().clone() : parameter;
}

void require_fitting(const char* class_name, const Weights& weights,
                     const MultiHeadAttentionOptions& options) {
  const auto require = [&](const Tensor& tensor, const char* argument, const Shape& shape,
                           bool may_be_missing) {
    if (tensor.defined() ? tensor.shape() == shape : may_be_missing) return;
    throw Error(std::string(class_name) + ": the weights' " + argument + " " +
                (tensor.defined() ? "has shape " + to_string(tensor.shape()) : "is undefined") +
                ": it must be " + to_string(shape));
  };
  const Shape in = {options.d_out, options.d_in}, bias = {options.d_out};
  require(weights.query, "query", in, false);
  require(weights.key, "key", in, false);
  require(weights.value, "value", in, false);
  require(weights.out, "out", {options.d_out, options.d_out}, false);
  require(weights.query_bias, "query_bias", bias, true);
  require(weights.key_bias, "key_bias", bias, true);
  require(weights.value_bias, "value_bias", bias, true);
  require(weights.out_bias, "out_bias", bias, true);
  if (options.qkv_bias) return;
  for (const Tensor* const given : {&weights.query_bias, &weights.key_bias, &weights.value_bias}) {
    if (!given->defined() || max(abs(*given), 0).item() == 0) continue;
    throw Error(std::string(class_name) +
                ": the weights have biases for queries, keys and values, but this was made without "
                "qkv_bias: make it with qkv_bias = true");
  }
}

Tensor bias_or_zeros(const Tensor& bias, const Tensor& weight) {
  return bias.defined() ? bias : Tensor::zeros({weight.size(0)}, weight.dtype());
}

Weights packed_rows(const Tensor& weight, const Tensor& bias) {
  const std::int64_t rows = weight.size(0) / 3;
  const auto part = [rows](const Tensor& all, std::int64_t n) {
    return all.defined() ? copy_of(all.slice(0, n * rows, (n + 1) * rows)) : all;
  };
  Weights result;
  result.query = part(weight, 0);
  result.key = part(weight, 1);
  result.value = part(weight, 2);
  result.query_bias = part(bias, 0);
  result.key_bias = part(bias, 1);
  result.value_bias = part(bias, 2);
  return result;
}

void set_packed_rows(const Weights& weights, const Tensor& weight, const Tensor& bias) {
  assign(weight, cat({weights.query, weights.key, weights.value}, 0));
  if (!bias.defined()) return;
  assign(bias, cat({bias_or_zeros(weights.query_bias, weights.query),
                    bias_or_zeros(weights.key_bias, weights.key),
                    bias_or_zeros(weights.value_bias, weights.value)},
                   0));
}

Weights combined_weights(const Linear& qkv, const Linear& proj) {
  Weights result = packed_rows(qkv.weight, qkv.bias);
  result.out = copy_of(proj.weight);
  result.out_bias = copy_of(proj.bias);
  return result;
}

void set_combined_weights(const Weights& weights, Linear& qkv, Linear& proj) {
  set_packed_rows(weights, qkv.weight, qkv.bias);
  assign(proj, weights.out, weights.out_bias);
}

}  // namespace foveal::nn::variants
