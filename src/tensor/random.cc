#include "foveal/random.h"

#include <cmath>
#include <limits>
#include <utility>

#include "core/door.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/numbers.h"
#include "tensor/wide_rows.h"

namespace foveal {
namespace {

void check_floating_target(DType dtype, const std::string& function) {
  if (dtype == DType::float32 || dtype == DType::float64) return;
  throw Error(function + ": dtype is " + to_string(dtype) +
              ": it must be float32 or float64; draw in one of them, then convert with to()");
}

void check_probability(double p) {
  if (p >= 0 && p <= 1) return;
  throw Error("dropout: p is " + number_text(p) + ": it must be from 0 to 1");
}

}  // namespace

Tensor rand(const Shape& shape, Generator& generator, DType dtype) try {
  check_floating_target(dtype, "rand");
  Tensor result = Tensor::zeros(shape, dtype);
  if (dtype == DType::float32) {
    generator.fill_uniform(TensorBuilder::written<float>(result), result.element_count());
  } else {
    generator.fill_uniform(TensorBuilder::written<double>(result), result.element_count());
  }
  return result;
} catch (...) {
  rethrow_as_error("rand");
}

Tensor randn(const Shape& shape, Generator& generator, DType dtype) try {
  check_floating_target(dtype, "randn");
  Tensor result = Tensor::zeros(shape, dtype);
  if (dtype == DType::float32) {
    generator.fill_normal(TensorBuilder::written<float>(result), result.element_count());
  } else {
    generator.fill_normal(TensorBuilder::written<double>(result), result.element_count());
  }
  return result;
} catch (...) {
  rethrow_as_error("randn");
}

Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, Generator& generator) try {
  if (low >= high) {
    throw Error("randint: low is " + std::to_string(low) + " and high is " + std::to_string(high) +
                ": high must be greater than low");
  }
  // From 2^28 on PyTorch draws 64 bits, so that the remainder stays nearly uniform.
  constexpr std::uint64_t kWideSpan = std::uint64_t{1} << 28;
  const std::uint64_t span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  Tensor result = Tensor::zeros(shape, DType::int64);
  std::int64_t* const out = TensorBuilder::written<std::int64_t>(result);
  const std::int64_t count = result.element_count();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t bits = span < kWideSpan ? generator.next_u32() : generator.next_u64();
    out[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + bits % span);
  }
  return result;
} catch (...) {
  rethrow_as_error("randint");
}

Tensor randperm(std::int64_t n, Generator& generator) try {
  constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max() / 20;
  if (n < 0 || n >= kMost) {
    throw Error("randperm: n is " + std::to_string(n) + ": it must be from 0 to " +
                std::to_string(kMost - 1));
  }
  Tensor result = Tensor::arange(n);
  std::int64_t* const out = TensorBuilder::written<std::int64_t>(result);
  for (std::int64_t i = 0; i + 1 < n; ++i)
    std::swap(out[i], out[i + generator.next_u32() % (n - i)]);
  return result;
} catch (...) {
  rethrow_as_error("randperm");
}

namespace {

template <class T>
void draw_kept(Tensor& mask, double p, Generator& generator) {
  T* const out = TensorBuilder::written<T>(mask);
  const std::int64_t count = mask.element_count();
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<T>(generator.next_double() < 1 - p);
  }
}

}  // namespace

Tensor dropout_mask(const Shape& shape, double p, Generator& generator, DType dtype) try {
  check_probability(p);
  if (dtype != DType::float32 && dtype != DType::boolean) {
    throw Error("dropout_mask: dtype is " + to_string(dtype) + ": it must be float32 or bool");
  }
  Tensor mask = Tensor::zeros(shape, dtype);
  if (dtype == DType::boolean) {
    draw_kept<bool>(mask, p, generator);
  } else {
    draw_kept<float>(mask, p, generator);
  }
  return mask;
} catch (...) {
  rethrow_as_error("dropout_mask");
}

Tensor dropout(const Tensor& x, double p, Generator& generator) try {
  check_probability(p);
  if (!is_floating(x.dtype())) {
    throw Error("dropout: x is " + to_string(x.dtype()) +
                ": it must be floating; convert it with to(DType::float32)");
  }
  if (p == 0) return x;
  if (p == 1) return x * 0.0;
  // The factor 1 / (1 - p) is rounded once: from float64 for float64, else from float32.
  const DType wide = wide_dtype(x.dtype());
  const Tensor factors = dropout_mask(x.shape(), p, generator).to(wide) / (1 - p);
  return x * factors.to(x.dtype());
} catch (...) {
  rethrow_as_error("dropout");
}

}  // namespace foveal
