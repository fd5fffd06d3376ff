#pragma once
// Tensors of random numbers, and what the chapter draws them for.

#include "foveal/generator.h"
#include "foveal/tensor.h"

#pragma GCC visibility push(default)
namespace foveal {

/// Uniform in [0, 1); float32 or float64.
Tensor rand(const Shape& shape, Generator& generator, DType dtype = DType::float32);
/// Standard normal; float32 or float64.
Tensor randn(const Shape& shape, Generator& generator, DType dtype = DType::float32);
/// int64 in low .. high - 1; low < high. A span of 2^28 or more draws 64 bits a value, as PyTorch
/// does.
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, Generator& generator);
/// 0 .. n - 1 in random order, int64; 0 <= n < 214748364.
Tensor randperm(std::int64_t n, Generator& generator);
/// Multiplies each element by 0 with probability p and by 1 / (1 - p) otherwise: a dropped infinity
/// or NaN gives NaN, as in PyTorch. p = 0 returns `x` and p = 1 returns x * 0, without a draw, as
/// PyTorch does. 0 <= p <= 1; floating x.
Tensor dropout(const Tensor& x, double p, Generator& generator);
/// 1 where dropout keeps, 0 where it drops: one draw an element, row-major. float32 or bool.
Tensor dropout_mask(const Shape& shape, double p, Generator& generator,
                    DType dtype = DType::float32);

}  // namespace foveal
#pragma GCC visibility pop
