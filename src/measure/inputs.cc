#include "measure/inputs.h"

#include <algorithm>

#include "core/memory.h"
#include "core/number_text.h"
#include "core/thread_pool.h"
#include "foveal/error.h"

namespace foveal::measure {
namespace {

/// Bits that look random, of any number (Steele et al., "Fast splittable pseudorandom number
/// generators", 2014).
std::uint64_t mixed(std::uint64_t z) {
  z *= 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// Four uniform numbers of 16 bits each, summed, shifted and scaled.
float normal_like(std::uint64_t bits) {
  const auto sum = static_cast<float>((bits & 0xffff) + (bits >> 16 & 0xffff) +
                                      (bits >> 32 & 0xffff) + (bits >> 48));
  constexpr float kMean = 2 * 65535.0f, kDeviation = 37837.2f;  // 65536 / sqrt(3)
  return (sum - kMean) / kDeviation;
}

}  // namespace

Tensor random_numbers(const Shape& shape, DType dtype, std::uint64_t seed) {
  Tensor tensor = Tensor::zeros(shape);
  float* const numbers = tensor.data<float>();
  constexpr std::int64_t kBlock = 1 << 16;
  const std::int64_t count = tensor.element_count();
  parallel_for((count + kBlock - 1) / kBlock, [&](std::int64_t block) {
    const std::int64_t last = std::min(count, (block + 1) * kBlock);
    for (std::int64_t n = block * kBlock; n < last; ++n) {
      numbers[n] = normal_like(mixed((seed << 40) + static_cast<std::uint64_t>(n) + 1));
    }
  });
  return tensor.to(dtype);
}

double bytes_of(const Shape& shape, DType dtype) {
  double bytes = static_cast<double>(size_of(dtype));
  for (const std::int64_t size : shape) bytes *= static_cast<double>(size);
  return bytes;
}

double bytes_to_draw(const Shape& shape, DType dtype) {
  return bytes_of(shape, dtype) + (dtype == DType::float32 ? 0 : bytes_of(shape, DType::float32));
}

void require_memory(const std::string& what, double bytes) {
  const auto usable = static_cast<double>(usable_memory());
  if (bytes <= usable) return;
  throw Error(what + " takes about " + number_text(bytes / 1e9, 3) +
              " GB, but this process may use " + number_text(usable / 1e9, 3) +
              " GB: give smaller sizes");
}

}  // namespace foveal::measure
