// PyTorch's nn.MultiheadAttention on itself: x makes queries, keys and values by one packed matrix.

#include <cmath>

#include "foveal/attention.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "nn/uniform.h"
#include "nn/variants/parts.h"

namespace foveal::nn::variants {
namespace {

/// U(-bound, bound) with bound^2 = 6 / (rows + columns): PyTorch's xavier_uniform_, to the bit.
Tensor drawn_in_proj(std::int64_t width, Generator& generator) {
  const double bound = std::sqrt(3.0) * std::sqrt(2.0 / static_cast<double>(4 * width));
  return uniform({3 * width, width}, bound, generator);
}

std::int64_t require_square(const char* class_name, const MultiHeadAttentionOptions& options) {
  if (options.d_in == options.d_out) return options.d_out;
  throw Error(std::string(class_name) + ": d_in is " + std::to_string(options.d_in) +
              " and d_out " + std::to_string(options.d_out) +
              ": they must be the same, as PyTorch's nn.MultiheadAttention has one width");
}

}  // namespace

PackedAttention::PackedAttention(const char* class_name, const MultiHeadAttentionOptions& options,
                                 Generator& generator)
    : out_proj(require_square(class_name, options), options.d_out, options.qkv_bias, generator),
      heads_(options.num_heads),
      dropout_(class_name, options.dropout, generator) {
  in_proj_weight = drawn_in_proj(options.d_out, generator);
  register_parameter("in_proj_weight", in_proj_weight);
  if (options.qkv_bias) {
    in_proj_bias = Tensor::zeros({3 * std::int64_t{options.d_out}});
    register_parameter("in_proj_bias", in_proj_bias);
    assign(out_proj.bias, Tensor::zeros({options.d_out}));
  }
  register_module("out_proj", out_proj);
}

std::pair<Tensor, Tensor> PackedAttention::forward_with(const Tensor& x, bool need_weights) const {
  const std::vector<Tensor> parts = split_qkv(linear(x, in_proj_weight, in_proj_bias), heads_);
  AttentionOptions how{.mask = causal(), .return_weights = need_weights};
  dropout_.add_to(how, is_training());
  const AttentionResult result = attention(parts[0], parts[1], parts[2], how);
  const Tensor weights = need_weights ? mean(result.weights, 1) : Tensor();
  return {out_proj.forward(join_heads(result.output)), weights};
}

}  // namespace foveal::nn::variants
