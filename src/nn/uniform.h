#pragma once
// What weights are drawn from.

#include "foveal/generator.h"
#include "foveal/tensor.h"

namespace foveal::nn {

/// U(-bound, bound) in float32, scaled and shifted in one rounding, as PyTorch's vector code does.
Tensor uniform(const Shape& shape, double bound, Generator& generator);

}  // namespace foveal::nn
