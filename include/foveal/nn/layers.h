#pragma once
// Linear, Embedding, Dropout, LayerNorm, GELU, Sequential. Constructors throw Error where a size is
// below 1, p is not from 0 to 1 or eps is below 0; forward where the shape or dtype of its argument
// doesn't fit.

#include "foveal/generator.h"
#include "foveal/nn/module.h"
#include "foveal/operations.h"

#pragma GCC visibility push(default)
namespace foveal::nn {

/// y = x weight^T + bias. weight (d_out, d_in), bias (d_out), float32, both drawn from
/// U(-1/sqrt(d_in), 1/sqrt(d_in)) as PyTorch's Linear does: weight first, then bias.
class Linear : public Module {
 public:
  Linear(std::int64_t d_in, std::int64_t d_out, bool bias, Generator& generator);

  /// x (..., d_in), of the weight's dtype -> (..., d_out). Sums are added in float32 (float64 for
  /// float64).
  Tensor forward(const Tensor& x) const override;

  Tensor weight, bias;  ///< bias is undefined without one
};

/// A table of vectors: weight (count, width), float32, drawn by randn.
class Embedding : public Module {
 public:
  Embedding(std::int64_t count, std::int64_t width, Generator& generator);

  /// ids (...), int64 -> (..., width).
  Tensor forward(const Tensor& ids) const override;

  Tensor weight;
};

/// In training mode zeroes each element with probability p and scales the rest by 1 / (1 - p);
/// in evaluation mode returns x.
class Dropout : public Module {
 public:
  Dropout(double p, const Generator& generator);

  /// x of any shape, floating -> the same shape and dtype.
  Tensor forward(const Tensor& x) const override;

  /// What forward draws for an x of that shape, bool: true keeps. Undefined where it draws nothing:
  /// in evaluation mode, and for a p of 0 or 1.
  Tensor draw_mask(const Shape& shape) const;
  double p() const { return p_; }

 private:
  double p_;
  mutable Generator generator_;
};

/// Along the last axis: (x - mean) / sqrt(variance + eps) * weight + bias. weight (width) of ones,
/// bias (width) of zeros, float32.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(std::int64_t width, double eps = 1e-5);

  /// x (..., width), of the weight's dtype -> the same shape. Moments in float64.
  Tensor forward(const Tensor& x) const override;

  Tensor weight, bias;
  const double eps;
};

/// gelu (operations.h) of each number; no parameters.
class GELU : public Module {
 public:
  explicit GELU(GeluForm form = GeluForm::exact) : form_(form) {}

  /// x of any shape, floating -> the same shape and dtype.
  Tensor forward(const Tensor& x) const override;

 private:
  GeluForm form_;
};

/// A list of modules that work one after the other: forward hands each one what the one before has
/// made.
class Sequential : public ModuleList {
 public:
  /// x itself where there is no module.
  Tensor forward(const Tensor& x) const override;
};

}  // namespace foveal::nn
#pragma GCC visibility pop
