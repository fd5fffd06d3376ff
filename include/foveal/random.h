#pragma once
// Tensors of random numbers, and what the chapter draws them for.

#include "foveal/generator.h"
#include "foveal/tensor.h"

namespace foveal {

/// Uniform in [0, 1); float32 or float64.
Tensor rand(const Shape& shape, Generator& generator, DType dtype = DType::float32);
/// Standard normal; float32 or float64.
Tensor randn(const Shape& shape, Generator& generator, DType dtype = DType::float32);
/// int64 in low .. high - 1; 1 <= high - low <= 2^32 - 1.
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, Generator& generator);
/// 0 .. n - 1 in random order, int64.
Tensor randperm(std::int64_t n, Generator& generator);
/// Zeroes each element with probability p and scales the others by 1 / (1 - p). p = 0 returns `x`
/// and p = 1 zeros, without a draw, as PyTorch does. 0 <= p <= 1; floating x.
Tensor dropout(const Tensor& x, double p, Generator& generator);
/// 1 where dropout keeps, 0 where it drops: one draw an element, row-major. float32.
Tensor dropout_mask(const Shape& shape, double p, Generator& generator);

}  // namespace foveal
