#include "tensor/copy.h"

#include <algorithm>
#include <functional>

#include "foveal/error.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/elementwise.h"
#include "tensor/numbers.h"
#include "tensor/visit.h"

namespace foveal {
namespace {

/// The first byte of the tensor's elements and the one after the last.
std::pair<const char*, const char*> byte_range(const Tensor& tensor) {
  std::int64_t lowest = 0;
  std::int64_t highest = 0;
  for (std::size_t axis = 0; axis < tensor.shape().size(); ++axis) {
    const std::int64_t span = tensor.strides()[axis] * (tensor.shape()[axis] - 1);
    (span < 0 ? lowest : highest) += span;
  }
  const auto size = static_cast<std::int64_t>(size_of(tensor.dtype()));
  const char* const first = static_cast<const char*>(tensor.raw_data());
  return {first + lowest * size, first + (highest + 1) * size};
}

Tensor expand_source(const Tensor& source, const Shape& shape) {
  try {
    return source.expand(shape);
  } catch (const Error&) {
    throw Error("copy_: source has shape " + to_string(source.shape()) +
                ", which doesn't broadcast to the tensor's shape " + to_string(shape) +
                ": sizes must be equal from the right, or 1 in source");
  }
}

}  // namespace

bool may_overlap(const Tensor& a, const Tensor& b) {
  if (a.element_count() == 0 || b.element_count() == 0) return false;
  const auto [a_begin, a_end] = byte_range(a);
  const auto [b_begin, b_end] = byte_range(b);
  return std::less<>()(a_begin, b_end) && std::less<>()(b_begin, a_end);
}

void copy_elements(Tensor& to, const Tensor& from) {
  visit(to.dtype(), [&](auto zero) {
    using T = decltype(zero);
    map<T, T>(to, from, [](T value) { return value; });
  });
}

Tensor Tensor::clone() const {
  require_defined(*this, "clone");
  Tensor result = TensorBuilder::empty(shape_, dtype_);
  copy_elements(result, *this);
  return result;
}

Tensor Tensor::contiguous() const {
  require_defined(*this, "contiguous");
  return is_contiguous() ? *this : clone();
}

Tensor Tensor::to(DType dtype) const {
  require_defined(*this, "to");
  if (dtype == dtype_) return *this;
  Tensor result = TensorBuilder::empty(shape_, dtype);
  visit(dtype_, [&](auto from_zero) {
    using From = decltype(from_zero);
    visit(dtype, [&](auto to_zero) {
      using To = decltype(to_zero);
      map<To, From>(result, *this, [](From value) { return convert<To>(value); });
    });
  });
  return result;
}

Tensor& Tensor::fill_(double value) {
  require_writable(*this, "fill_");
  visit(dtype_, [&](auto zero) {
    using T = decltype(zero);
    const T element = convert_scalar<T>(value, "fill_");
    map<T, T>(*this, *this, [element](T) { return element; });
  });
  storage_->count_write();
  return *this;
}

Tensor& Tensor::copy_(const Tensor& source) {
  require_writable(*this, "copy_");
  require_defined(source, "copy_", "source");
  // Conversion comes first: where a value has no int64 it throws, and nothing has changed yet.
  Tensor elements = expand_source(source.to(dtype_), shape_);
  if (may_overlap(*this, elements)) elements = elements.clone();
  copy_elements(*this, elements);
  storage_->count_write();
  return *this;
}

}  // namespace foveal
