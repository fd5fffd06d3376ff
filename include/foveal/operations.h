#pragma once
// The operations that the chapter needs. Each returns a new tensor. Where PyTorch has a function of
// the same name, it means the same, but for one rule: dtypes are never promoted silently. Two
// tensors that meet must have the same dtype; the error names both.
//
// Accumulation: products (matmul, dot, linear) of float32, bfloat16 and float16 accumulate in
// float32, other sums in float64; both round once at the end. float64 accumulates in float64.
// Elementwise operations on bfloat16 and float16 compute in float32 and round once; exp computes in
// float64 inside, and is right but for the last bit. Large tensors are worked on by all threads;
// the bits of a result don't depend on how many there are.

#include "foveal/tensor.h"

namespace foveal {

// --- arithmetic, with NumPy's broadcasting. int64 divides only after to(). A scalar takes the
// tensor's dtype; a fraction with an int64 tensor throws.
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, double b);
Tensor operator-(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);
Tensor operator/(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(double a, const Tensor& b);
Tensor operator/(double a, const Tensor& b);
Tensor operator-(const Tensor& a);
Tensor exp(const Tensor& a);
Tensor abs(const Tensor& a);

// --- comparison: a bool tensor, broadcast.
Tensor eq(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
Tensor eq(const Tensor& a, double b);
Tensor ne(const Tensor& a, double b);
Tensor lt(const Tensor& a, double b);
Tensor le(const Tensor& a, double b);
Tensor gt(const Tensor& a, double b);
Tensor ge(const Tensor& a, double b);
/// bool in, bool out.
Tensor logical_not(const Tensor& a);
/// Same shape, same dtype, same values (NaN differs from NaN).
bool equal(const Tensor& a, const Tensor& b);
/// |a - b| <= atol + rtol * |b| everywhere, in float64; same shape required.
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8);

// --- products
/// (..., M, K) x (..., K, N) -> (..., M, N); leading axes broadcast; a vector (K) is a row on the
/// left and a column on the right, and its axis is dropped from the result.
Tensor matmul(const Tensor& a, const Tensor& b);
/// Sum of products of two vectors of the same length; a scalar tensor.
Tensor dot(const Tensor& a, const Tensor& b);
/// x (..., d_in), weight (d_out, d_in), bias (d_out) or undefined -> x weight^T + bias.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// Rows of `weight` (n, d) at `ids` (int64, any shape) -> (..., d). An id outside 0..n-1 throws,
/// naming it and its place.
Tensor embedding(const Tensor& weight, const Tensor& ids);

// --- along an axis
Tensor sum(const Tensor& a);
Tensor sum(const Tensor& a, std::int64_t axis, bool keepdim = false);
Tensor max(const Tensor& a, std::int64_t axis, bool keepdim = false);
/// exp(a - max) / sum: rows with every entry -inf give NaN, as the definition does.
Tensor softmax(const Tensor& a, std::int64_t axis);

// --- masks
/// `value` where `mask` is true (nonzero), `a` elsewhere. `mask` is broadcast to a's shape; its
/// dtype is bool, or a's own (the chapter keeps 0/1 masks): another one throws, naming both.
Tensor masked_fill(const Tensor& a, const Tensor& mask, double value);
/// The last two axes above / below the diagonal and zero elsewhere; the entries with
/// column - row >= diagonal (triu), <= diagonal (tril) are kept.
Tensor triu(const Tensor& a, std::int64_t diagonal = 0);
Tensor tril(const Tensor& a, std::int64_t diagonal = 0);

// --- joining and splitting
Tensor cat(const std::vector<Tensor>& tensors, std::int64_t axis);
Tensor stack(const std::vector<Tensor>& tensors, std::int64_t axis);
/// Views of the entries along `axis`.
std::vector<Tensor> unbind(const Tensor& a, std::int64_t axis);

}  // namespace foveal
