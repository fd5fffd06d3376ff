#include "nn/uniform.h"

#include <cmath>

#include "foveal/random.h"
#include "tensor/builder.h"

namespace foveal::nn {

Tensor uniform(const Shape& shape, double bound, Generator& generator) {
  Tensor result = rand(shape, generator);
  const float low = static_cast<float>(-bound);
  const float width = static_cast<float>(bound) - low;
  float* const values = TensorBuilder::written<float>(result);
  const std::int64_t count = result.element_count();
  for (std::int64_t i = 0; i < count; ++i) {
    values[i] = std::fma(values[i], width, low);
  }
  return result;
}

}  // namespace foveal::nn
