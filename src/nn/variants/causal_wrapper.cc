// 1: as many CausalAttention as heads. Each projects x by itself and makes an (L, L) matrix.

#include "foveal/autograd.h"
#include "foveal/operations.h"
#include "nn/variants/parts.h"

namespace foveal::nn::variants {
namespace {

std::vector<std::unique_ptr<CausalAttention>> make_heads(const MultiHeadAttentionOptions& options,
                                                         Generator& generator, ModuleList* list) {
  std::vector<std::unique_ptr<CausalAttention>> heads;
  for (int head = 0; head < options.num_heads; ++head) {
    heads.push_back(std::make_unique<CausalAttention>(
        CausalAttentionOptions{options.d_in, options.d_out / options.num_heads,
                               options.context_length, options.dropout, options.qkv_bias},
        generator));
    list->append(*heads.back());
  }
  return heads;
}

}  // namespace

CausalWrapper::CausalWrapper(const MultiHeadAttentionOptions& options, Generator& generator)
    : Variant("CausalWrapper", options),
      heads_list(make_heads(options, generator, &list_)),
      out_proj(options.d_out, options.d_out, true, generator) {
  register_module("heads", list_);
  register_module("out_proj", out_proj);
}

Tensor CausalWrapper::forward(const Tensor& x) const {
  check(x);
  std::vector<Tensor> contexts;
  contexts.reserve(heads_list.size());
  for (const auto& head : heads_list) contexts.push_back(head->forward(x));
  return out_proj.forward(cat(contexts, -1));
}

Weights CausalWrapper::weights() const {
  const NoGrad off;
  const auto joined = [this](Linear CausalAttention::* layer, Tensor Linear::* tensor) {
    std::vector<Tensor> parts;
    parts.reserve(heads_list.size());
    for (const auto& head : heads_list) parts.push_back((*head).*layer.*tensor);
    return parts[0].defined() ? cat(parts, 0) : Tensor();
  };
  using Head = CausalAttention;
  return {joined(&Head::W_query, &Linear::weight),
          joined(&Head::W_key, &Linear::weight),
          joined(&Head::W_value, &Linear::weight),
          joined(&Head::W_query, &Linear::bias),
          joined(&Head::W_key, &Linear::bias),
          joined(&Head::W_value, &Linear::bias),
          copy_of(out_proj.weight),
          copy_of(out_proj.bias)};
}

void CausalWrapper::set_weights(const Weights& weights) {
  require_fitting("CausalWrapper", weights, options());
  const auto set = [this](Linear& layer, const Tensor& weight, const Tensor& bias, std::int64_t n) {
    const std::int64_t first = n * head_size(), last = first + head_size();
    assign(layer, weight.slice(0, first, last), bias_or_zeros(bias, weight).slice(0, first, last));
  };
  for (std::int64_t n = 0; n < heads(); ++n) {
    CausalAttention& head = *heads_list[static_cast<std::size_t>(n)];
    set(head.W_query, weights.query, weights.query_bias, n);
    set(head.W_key, weights.key, weights.key_bias, n);
    set(head.W_value, weights.value, weights.value_bias, n);
  }
  assign(out_proj, weights.out, weights.out_bias);
}

}  // namespace foveal::nn::variants
