// Making tensors, and reading and writing their elements.

#include "foveal/tensor.h"

#include <algorithm>
#include <cstring>

#include "core/door.h"
#include "foveal/error.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/copy.h"
#include "tensor/numbers.h"
#include "tensor/parallel.h"
#include "tensor/recording.h"
#include "tensor/visit.h"
#include "tensor/walk.h"

namespace foveal {
namespace {

/// Offset of the element at `index`, relative to the first one.
std::int64_t element_offset(const Tensor& tensor, const std::vector<std::int64_t>& index,
                            const char* function) {
  require_defined(tensor, function);
  if (index.size() != tensor.shape().size()) {
    throw Error(std::string(function) + ": index " + to_string(index) + " has " +
                std::to_string(index.size()) + " numbers but the tensor has shape " +
                to_string(tensor.shape()) + ": give one for each axis");
  }
  std::int64_t offset = 0;
  for (std::size_t axis = 0; axis < index.size(); ++axis) {
    const auto named_axis = static_cast<std::int64_t>(axis);
    offset += tensor.strides()[axis] *
              normalize_index(index[axis], tensor.shape()[axis], named_axis, function);
  }
  return offset;
}

template <class T>
void require_type(const Tensor& tensor) {
  require_defined(tensor, "data");
  if (tensor.dtype() == dtype_of<T>()) return;
  throw Error("data: asked for " + to_string(dtype_of<T>()) + " but the tensor has dtype " +
              to_string(tensor.dtype()) + ": ask for its own type, or convert it with to(" +
              to_string(dtype_of<T>()) + ")");
}

}  // namespace

Tensor Tensor::zeros(const Shape& shape, DType dtype) try {
  Tensor result = TensorBuilder::empty(shape, dtype);
  // All bits zero is 0 in every dtype.
  auto* const bytes = TensorBuilder::written<char>(result);
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  for_ranges(result.element_count(), 1, [=](std::int64_t first, std::int64_t last) {
    std::memset(bytes + first * size, 0, static_cast<std::size_t>((last - first) * size));
  });
  return result;
} catch (...) {
  rethrow_as_error("zeros");
}

Tensor Tensor::ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }

Tensor Tensor::full(const Shape& shape, double value, DType dtype) try {
  Tensor result = TensorBuilder::empty(shape, dtype);
  fill_elements(result, value, "full");
  return result;
} catch (...) {
  rethrow_as_error("full");
}

Tensor Tensor::arange(std::int64_t stop, DType dtype) try {
  if (stop < 0 || dtype == DType::boolean) {
    throw Error("arange: stop is " + std::to_string(stop) + " and dtype is " + to_string(dtype) +
                ": stop must be 0 or more, and dtype not bool");
  }
  Tensor result = TensorBuilder::empty({stop}, dtype);
  visit(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* const data = TensorBuilder::written<T>(result);
    for (std::int64_t i = 0; i < stop; ++i) data[i] = convert<T>(i);
  });
  return result;
} catch (...) {
  rethrow_as_error("arange");
}

template <class T>
Tensor Tensor::from_vector(const std::vector<T>& values, const Shape& shape) {
  if (foveal::element_count(shape) != static_cast<std::int64_t>(values.size())) {
    throw Error("from_vector: values has " + std::to_string(values.size()) +
                " elements but shape " + to_string(shape) + " holds " +
                std::to_string(foveal::element_count(shape)) + ": they must be the same");
  }
  Tensor result = TensorBuilder::empty(shape, dtype_of<T>());
  std::copy(values.begin(), values.end(), TensorBuilder::written<T>(result));
  return result;
}

template Tensor Tensor::from_vector(const std::vector<float>&, const Shape&);
template Tensor Tensor::from_vector(const std::vector<double>&, const Shape&);
template Tensor Tensor::from_vector(const std::vector<BFloat16>&, const Shape&);
template Tensor Tensor::from_vector(const std::vector<Float16>&, const Shape&);
template Tensor Tensor::from_vector(const std::vector<std::int64_t>&, const Shape&);

const Shape& Tensor::shape() const {
  static const Shape none;
  return defined() ? body_->shape : none;
}

const Strides& Tensor::strides() const {
  static const Strides none;
  return defined() ? body_->strides : none;
}

DType Tensor::dtype() const { return defined() ? body_->dtype : DType::float32; }

std::int64_t Tensor::size(std::int64_t axis) const {
  require_defined(*this, "size");
  return shape()[normalize_axis(axis, rank(), "size")];
}

bool Tensor::shares_storage(const Tensor& other) const {
  if (!defined() || !other.defined()) return defined() == other.defined();
  return body_->storage == other.body_->storage;
}

std::int64_t Tensor::element_count() const {
  require_defined(*this, "element_count");
  return foveal::element_count(shape());
}

bool Tensor::is_contiguous() const {
  if (element_count() == 0) return true;
  std::int64_t dense = 1;
  for (std::size_t axis = shape().size(); axis-- > 0;) {
    if (shape()[axis] > 1 && strides()[axis] != dense) return false;
    dense *= shape()[axis];
  }
  return true;
}

bool Tensor::read_only() const {
  require_defined(*this, "read_only");
  return body_->storage->read_only();
}

std::uint64_t Tensor::version() const {
  require_defined(*this, "version");
  return body_->storage->version();
}

template <class T>
T* Tensor::data() {
  require_type<T>(*this);
  return static_cast<T*>(body_->storage->hand_out()) + body_->offset;
}

template <class T>
const T* Tensor::data() const {
  require_type<T>(*this);
  return static_cast<const T*>(body_->storage->data()) + body_->offset;
}

template float* Tensor::data();
template double* Tensor::data();
template BFloat16* Tensor::data();
template Float16* Tensor::data();
template std::int64_t* Tensor::data();
template bool* Tensor::data();
template const float* Tensor::data() const;
template const double* Tensor::data() const;
template const BFloat16* Tensor::data() const;
template const Float16* Tensor::data() const;
template const std::int64_t* Tensor::data() const;
template const bool* Tensor::data() const;

void* Tensor::raw_data() {
  require_defined(*this, "raw_data");
  const std::int64_t bytes = body_->offset * static_cast<std::int64_t>(size_of(dtype()));
  return static_cast<char*>(body_->storage->hand_out()) + bytes;
}

const void* Tensor::raw_data() const {
  require_defined(*this, "raw_data");
  const std::int64_t bytes = body_->offset * static_cast<std::int64_t>(size_of(dtype()));
  return static_cast<const char*>(body_->storage->data()) + bytes;
}

double Tensor::at(const std::vector<std::int64_t>& index) const try {
  const std::int64_t offset = element_offset(*this, index, "at");
  return visit(dtype(), [&](auto zero) {
    using T = decltype(zero);
    return convert<double>(number_at(data<T>() + offset));
  });
} catch (...) {
  rethrow_as_error("at");
}

void Tensor::set(const std::vector<std::int64_t>& index, double value) try {
  require_writable(*this, "set");
  const std::int64_t offset = element_offset(*this, index, "set");
  if (has_history(*this) && is_recorded_write(*this)) {
    require_no_leaf(*this, "set");
    Tensor place = *this;
    for (const std::int64_t at : index) place = place.select(0, at);
    place.fill_(value);
    return;
  }
  visit(dtype(), [&](auto zero) {
    using T = decltype(zero);
    TensorBuilder::written<T>(*this)[offset] = convert_scalar<T>(value, "set");
  });
  body_->storage->count_write();
} catch (...) {
  rethrow_as_error("set");
}

double Tensor::item() const try {
  require_defined(*this, "item");
  if (element_count() != 1) {
    throw Error("item: the tensor has shape " + to_string(shape()) + ", so " +
                std::to_string(element_count()) +
                " elements: it must have exactly one; take one with at({...})");
  }
  return at(std::vector<std::int64_t>(shape().size(), 0));
} catch (...) {
  rethrow_as_error("item");
}

std::vector<double> Tensor::to_vector() const try {
  require_defined(*this, "to_vector");
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(element_count()));
  visit(dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* const elements = data<T>();
    for_each_element<1>(shape(), {strides()}, [&](const std::array<std::int64_t, 1>& offset) {
      values.push_back(convert<double>(number_at(elements + offset[0])));
    });
  });
  return values;
} catch (...) {
  rethrow_as_error("to_vector");
}

}  // namespace foveal
