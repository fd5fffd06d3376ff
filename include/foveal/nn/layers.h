#pragma once
// Linear, Embedding, Dropout. Constructors throw Error where a size is below 1 or p is not from 0
// to 1; forward where the shape or dtype of its argument doesn't fit.

#include "foveal/generator.h"
#include "foveal/nn/module.h"

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

}  // namespace foveal::nn
