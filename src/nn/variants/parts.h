#pragma once
// What several variants do alike. Where they differ stands in their files.

#include "foveal/nn/variants.h"

namespace foveal::nn::variants {

/// (B, L, d_out) -> (B, H, L, D), a view.
Tensor split_heads(const Tensor& x, std::int64_t heads);
/// (B, H, L, D) -> (B, L, d_out).
Tensor join_heads(const Tensor& context);
/// (B, L, 3 d_out) -> queries, keys and values (B, H, L, D), views.
std::vector<Tensor> split_qkv(const Tensor& qkv, std::int64_t heads);

/// The chapter's steps from scores to context: `drop` (L, L) is nonzero where a key is out of
/// reach.
Tensor step_by_step(const Tensor& queries, const Tensor& keys, const Tensor& values,
                    const Tensor& drop, const Dropout& dropout);

/// The first `length` rows and columns.
Tensor corner(const Tensor& mask, std::int64_t length);

/// Writes `value` to a parameter, converted to its dtype.
void assign(Tensor parameter, const Tensor& value);
/// Weight and bias of a layer; a bias that is missing is 0.
void assign(const Linear& layer, const Tensor& weight, const Tensor& bias);

/// A tensor of its own, undefined where `parameter` is.
Tensor copy_of(const Tensor& parameter);

/// Of weight (3 d_out, d_in) and bias (3 d_out) or undefined, the rows of queries, keys and values
/// one after the other: all of Weights but `out` and `out_bias`.
Weights packed_rows(const Tensor& weight, const Tensor& bias);
/// The way back.
void set_packed_rows(const Weights& weights, const Tensor& weight, const Tensor& bias);

/// Of variants with combined weights.
Weights combined_weights(const Linear& qkv, const Linear& proj);
void set_combined_weights(const Weights& weights, Linear& qkv, Linear& proj);

/// Throws Error where a weight's shape isn't that of the options, or where there are biases for
/// queries, keys and values and the options have no room for them. Missing biases are 0.
void require_fitting(const char* class_name, const Weights& weights,
                     const MultiHeadAttentionOptions& options);
/// A bias, or zeros as long as the rows of `weight`.
Tensor bias_or_zeros(const Tensor& bias, const Tensor& weight);

}  // namespace foveal::nn::variants
