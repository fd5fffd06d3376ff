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

#include <string>

#include "foveal/tensor.h"

#pragma GCC visibility push(default)
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
Tensor abs(const Tensor& a);

// --- functions of each number, of floating tensors.
Tensor exp(const Tensor& a);
Tensor log(const Tensor& a);
Tensor sqrt(const Tensor& a);
Tensor pow(const Tensor& a, double exponent);
Tensor tanh(const Tensor& a);
Tensor relu(const Tensor& a);
/// a times the chance that a normal number is below it (erf), or the form with tanh that stands in
/// for it (Hendrycks and Gimpel, 2016), as PyTorch's `approximate` chooses.
enum class GeluForm { exact, tanh };
Tensor gelu(const Tensor& a, GeluForm form = GeluForm::exact);

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
/// Sum of products over the letters that `equation`, as "bqd,bkd->bqk", doesn't keep: a letter for
/// each axis of a, of b, and of the result, which holds any of them in any order; no letter twice
/// in one, no ellipsis. Sums and products as matmul's.
Tensor einsum(const std::string& equation, const Tensor& a, const Tensor& b);
/// x (..., d_in), weight (d_out, d_in), bias (d_out) or undefined -> x weight^T + bias.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// Rows of `weight` (n, d) at `ids` (int64, any shape) -> (..., d). An id outside 0..n-1 throws,
/// naming it and its place.
Tensor embedding(const Tensor& weight, const Tensor& ids);

/// Entries of `a` along `axis` at `ids`, a vector of int64: (..., count, ...).
Tensor index_select(const Tensor& a, std::int64_t axis, const Tensor& ids);

// --- along an axis
Tensor sum(const Tensor& a);
Tensor sum(const Tensor& a, std::int64_t axis, bool keepdim = false);
/// Of floating tensors; rounded once.
Tensor mean(const Tensor& a);
Tensor mean(const Tensor& a, std::int64_t axis, bool keepdim = false);
Tensor max(const Tensor& a, std::int64_t axis, bool keepdim = false);
/// exp(a - max) / sum: rows with every entry -inf give NaN, as the definition does.
Tensor softmax(const Tensor& a, std::int64_t axis);
/// log(softmax), in float64 inside, rounded once.
Tensor log_softmax(const Tensor& a, std::int64_t axis);
/// Along the last axis: (x - mean) / sqrt(variance + eps), the variance divided by the size, times
/// weight plus bias, vectors of that size, where they are given. Moments in float64.
Tensor layer_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                  double eps = 1e-5);
/// The mean of -log_softmax(logits) at the targets: logits (N, C), targets (N) int64 from 0 to
/// C - 1; rows whose target is `ignore_index` don't count. In float64 inside; NaN where none
/// counts.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets, std::int64_t ignore_index = -100);

// --- masks
/// a where `condition`, a bool, is true, b elsewhere; all three are broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
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
#pragma GCC visibility pop
