#pragma once
// Nine ways to write causal multi-head attention, of the chapter's first bonus part. From the same
// weights all give the same result but for rounding; they differ in how many products, copies and
// L x L matrices that takes (docs/variants.md).
//
// Every class: x (B, L, d_in) -> (B, L, d_out), L <= context_length, of the weights' dtype; d_out
// must be divisible by num_heads. Sums are added as operations.h and attention.h say. Constructors
// throw Error where an option breaks a rule; forward where x has another shape or dtype.

#include <memory>
#include <string>
#include <vector>

#include "foveal/attention.h"
#include "foveal/nn/attention.h"
#include "foveal/nn/layers.h"

#pragma GCC visibility push(default)
namespace foveal::nn::variants {

/// What every variant can be made from. Biases are undefined where there are none.
struct Weights {
  Tensor query = {}, key = {}, value = {};  ///< (d_out, d_in), a head's rows together
  Tensor query_bias = {}, key_bias = {}, value_bias = {};  ///< (d_out)
  Tensor out = {}, out_bias = {};                          ///< (d_out, d_out), (d_out)
};

class Variant : public Module {
 public:
  Variant(const char* class_name, const MultiHeadAttentionOptions& options);

  const MultiHeadAttentionOptions& options() const { return options_; }
  /// As `foveal compare` names it.
  virtual std::string name() const = 0;
  /// Copies of the weights in the form that all share.
  virtual Weights weights() const = 0;
  /// Copies them in. Throws Error where this variant can't hold them, and changes nothing then.
  virtual void set_weights(const Weights& weights) = 0;

 protected:
  std::int64_t heads() const { return options_.num_heads; }
  std::int64_t head_size() const { return options_.d_out / options_.num_heads; }
  void check(const Tensor& x) const;

 private:
  const char* class_name_;
  MultiHeadAttentionOptions options_;
};

/// 1: a CausalAttention for each head, one after the other, joined, then projected.
class CausalWrapper final : public Variant {
  ModuleList list_;  // in front of heads: it is filled while they are made

 public:
  CausalWrapper(const MultiHeadAttentionOptions& options, Generator& generator);
  std::string name() const override { return "causal_wrapper"; }
  Tensor forward(const Tensor& x) const override;
  Weights weights() const override;
  void set_weights(const Weights& weights) override;

  std::vector<std::unique_ptr<CausalAttention>> heads_list;
  Linear out_proj;
};

/// 2: the chapter's class: one projection each for queries, keys and values of all heads.
class Chapter final : public Variant {
 public:
  Chapter(const MultiHeadAttentionOptions& options, Generator& generator);
  std::string name() const override { return "chapter"; }
  Tensor forward(const Tensor& x) const override;
  Weights weights() const override;
  void set_weights(const Weights& weights) override;

  Linear W_query, W_key, W_value, out_proj;
  Dropout dropout;
  Tensor mask;
};

/// 3: one projection for queries, keys and values together.
class CombinedQKV final : public Variant {
 public:
  CombinedQKV(const MultiHeadAttentionOptions& options, Generator& generator);
  std::string name() const override { return "combined_qkv"; }
  Tensor forward(const Tensor& x) const override;
  Weights weights() const override;
  void set_weights(const Weights& weights) override;

  Linear qkv, proj;
  Dropout dropout;
  Tensor mask;
};

/// 4: the chapter's with every product an einsum. W_query, W_key, W_value are (d_in, d_out).
class Einsum final : public Variant {
 public:
  Einsum(const MultiHeadAttentionOptions& options, Generator& generator);
  std::string name() const override { return "einsum"; }
  Tensor forward(const Tensor& x) const override;
  Weights weights() const override;
  void set_weights(const Weights& weights) override;

  Tensor W_query, W_key, W_value, bias_q, bias_k, bias_v;
  Linear out_proj;
  Dropout dropout;
  Tensor mask;
};

/// Dropout of fused attention: a counter's, whose seed is drawn at each forward in training mode.
class FusedDropout {
 public:
  FusedDropout(const char* class_name, double p, const Generator& generator);
  void add_to(AttentionOptions& options, bool is_training) const;

 private:
  double p_;
  mutable Generator generator_;
};

/// 5: combined weights, and fused attention that is told "causal".
class Fused final : public Variant {
 public:
  Fused(const MultiHeadAttentionOptions& options, Generator& generator);
  std::string name() const override { return "fused"; }
  Tensor forward(const Tensor& x) const override;
  Weights weights() const override;
  void set_weights(const Weights& weights) override;

  Linear qkv, proj;

 private:
  FusedDropout dropout_;
};

/// 6: the same, told by a matrix: buffer mask (context_length, context_length), bool, true where a
/// key may be attended to.
class FusedExplicitMask final : public Variant {
 public:
  FusedExplicitMask(const MultiHeadAttentionOptions& options, Generator& generator);
  std::string name() const override { return "fused_explicit_mask"; }
  Tensor forward(const Tensor& x) const override;
  Weights weights() const override;
  void set_weights(const Weights& weights) override;

  Linear qkv, proj;
  Tensor mask;

 private:
  FusedDropout dropout_;
};

/// PyTorch's nn.MultiheadAttention as 7 and 8 use it: packed input weights, fused attention, an
/// output projection of its own, whose bias goes with that of the input.
class PackedAttention : public Module {
 public:
  PackedAttention(const char* class_name, const MultiHeadAttentionOptions& options,
                  Generator& generator);
  /// The output, and with `need_weights` P averaged over the heads, (B, L, L).
  std::pair<Tensor, Tensor> forward_with(const Tensor& x, bool need_weights) const;
  Tensor forward(const Tensor& x) const override { return forward_with(x, false).first; }

  Tensor in_proj_weight, in_proj_bias;  ///< (3 d, d), (3 d) or undefined
  Linear out_proj;

 private:
  std::int64_t heads_;
  FusedDropout dropout_;
};

/// 7: PackedAttention with its averaged weights, then one more projection. d_in must be d_out.
class PackedProjection final : public Variant {
 public:
  PackedProjection(const MultiHeadAttentionOptions& options, Generator& generator);
  std::string name() const override { return "packed_projection"; }
  Tensor forward(const Tensor& x) const override { return forward_with_weights(x).first; }
  /// The output, and P averaged over the heads, (B, L, L).
  std::pair<Tensor, Tensor> forward_with_weights(const Tensor& x) const;
  Weights weights() const override;
  void set_weights(const Weights& weights) override;

  PackedAttention multihead_attn;
  Linear proj;
};

/// 8: the same without weights: no L x L matrix.
class PackedProjectionNoWeights final : public Variant {
 public:
  PackedProjectionNoWeights(const MultiHeadAttentionOptions& options, Generator& generator);
  std::string name() const override { return "packed_projection_no_weights"; }
  Tensor forward(const Tensor& x) const override;
  Weights weights() const override;
  void set_weights(const Weights& weights) override;

  PackedAttention multihead_attn;
  Linear proj;
};

/// 9: fused attention under any mask expression; causal() gives what the others do.
class MaskExpression final : public Variant {
 public:
  MaskExpression(const MultiHeadAttentionOptions& options, Generator& generator,
                 Mask mask = causal());
  std::string name() const override { return "mask_expression"; }
  Tensor forward(const Tensor& x) const override;
  Weights weights() const override;
  void set_weights(const Weights& weights) override;

  Linear qkv, proj;
  Mask mask;

 private:
  FusedDropout dropout_;
};

/// The nine names in order.
const std::vector<std::string>& names();
/// The variant of that name. Throws Error for another name, listing the nine.
std::unique_ptr<Variant> make(const std::string& name, const MultiHeadAttentionOptions& options,
                              Generator& generator);

/// Gives `to` the weights of `from`, so that both give the same result (under causal(), where one
/// is a MaskExpression). Into 7 and 8 the inner projection becomes the identity; out of them both
/// projections become their product, in float64. Throws Error where the sizes, heads or biases of
/// `to` can't hold them.
void convert(const Variant& from, Variant& to);

}  // namespace foveal::nn::variants
#pragma GCC visibility pop
