#pragma once
// The chapter's classes, in its order, with its names in state_dict. Masks here are the chapter's:
// 1 above the diagonal means "drop" (the rest of the library says true = may attend).
//
// Each class has a member `fused`: set it to true, and forward runs on the engine
// (foveal/attention.h) instead of step by step. The result is the same but for rounding, dropout
// included, and no L x L matrix is made but dropout's mask.
//
// Everything is float32 until Module::to; x must have the weights' dtype, and so has the result.
// Sums are added as operations.h says. Constructors throw Error where a size is below 1 or dropout
// is not from 0 to 1; forward where x has another shape or dtype than is said here.

#include <memory>
#include <vector>

#include "foveal/nn/layers.h"

namespace foveal::nn {
class MaskLook;  // what a layer has seen of its mask, so that `fused` reads it once a version
}

#pragma GCC visibility push(default)
namespace foveal::nn {

/// Section 3.4.2, first version. Parameters W_query, W_key, W_value (d_in, d_out) drawn by rand.
class SelfAttention_v1 : public Module {
 public:
  SelfAttention_v1(std::int64_t d_in, std::int64_t d_out, Generator& generator);
  /// x (L, d_in) -> (L, d_out).
  Tensor forward(const Tensor& x) const override;

  Tensor W_query, W_key, W_value;
  bool fused = false;
};

/// Section 3.4.2, second version: the same with Linear layers.
class SelfAttention_v2 : public Module {
 public:
  SelfAttention_v2(std::int64_t d_in, std::int64_t d_out, Generator& generator,
                   bool qkv_bias = false);
  /// x (L, d_in) -> (L, d_out).
  Tensor forward(const Tensor& x) const override;

  Linear W_query, W_key, W_value;
  bool fused = false;
};

struct CausalAttentionOptions {
  std::int64_t d_in = 0, d_out = 0, context_length = 0;
  double dropout = 0;
  bool qkv_bias = false;
};

/// Section 3.5.3. x (B, L, d_in) -> (B, L, d_out), L <= context_length. Buffer mask
/// (context_length, context_length), float32, 1 above the diagonal.
class CausalAttention : public Module {
 public:
  CausalAttention(const CausalAttentionOptions& options, Generator& generator);
  Tensor forward(const Tensor& x) const override;

  Linear W_query, W_key, W_value;
  Dropout dropout;
  Tensor mask;
  bool fused = false;

 private:
  friend struct MaskOf;
  std::shared_ptr<MaskLook> look_;
};

/// The loader notebook's name for the same class.
using CausalSelfAttention = CausalAttention;

/// Bonus part on buffers: CausalAttention whose mask is a plain member, in no state_dict, and left
/// behind by to().
class CausalAttentionWithoutBuffers : public Module {
 public:
  CausalAttentionWithoutBuffers(const CausalAttentionOptions& options, Generator& generator);
  Tensor forward(const Tensor& x) const override;

  Linear W_query, W_key, W_value;
  Dropout dropout;
  Tensor mask;
  bool fused = false;

 private:
  friend struct MaskOf;
  std::shared_ptr<MaskLook> look_;
};

/// Section 3.6.1: heads one after the other, their outputs side by side: x (B, L, d_in) ->
/// (B, L, num_heads * d_out), L <= context_length.
class MultiHeadAttentionWrapper : public Module {
  ModuleList list_;  // in front of heads: it is filled while they are made

 public:
  MultiHeadAttentionWrapper(const CausalAttentionOptions& options, std::int64_t num_heads,
                            Generator& generator);
  Tensor forward(const Tensor& x) const override;

  std::vector<std::unique_ptr<CausalAttention>> heads;
  bool fused = false;
};

/// The loader notebook's wrapper: the same, then a Linear (num_heads * d_out -> num_heads * d_out).
class MultiHeadAttentionWrapperWithProjection : public Module {
  ModuleList list_;  // in front of heads: it is filled while they are made

 public:
  MultiHeadAttentionWrapperWithProjection(const CausalAttentionOptions& options,
                                          std::int64_t num_heads, Generator& generator);
  Tensor forward(const Tensor& x) const override;

  std::vector<std::unique_ptr<CausalAttention>> heads;
  Linear out_proj;
  bool fused = false;
};

struct MultiHeadAttentionOptions {
  int d_in = 0, d_out = 0, context_length = 0;
  double dropout = 0;
  int num_heads = 1;
  bool qkv_bias = false;
};

/// Section 3.6.2: one projection for all heads, split into (B, H, L, D), D = d_out / num_heads;
/// d_out must be divisible by num_heads. x (B, L, d_in) -> (B, L, d_out), L <= context_length.
/// Buffer mask as in CausalAttention.
class MultiHeadAttention : public Module {
 public:
  MultiHeadAttention(const MultiHeadAttentionOptions& options, Generator& generator);
  Tensor forward(const Tensor& x) const override;

  Linear W_query, W_key, W_value, out_proj;
  Dropout dropout;
  Tensor mask;
  std::int64_t num_heads, head_dim;
  bool fused = false;

 private:
  friend struct MaskOf;
  std::shared_ptr<MaskLook> look_;
};

}  // namespace foveal::nn
#pragma GCC visibility pop
