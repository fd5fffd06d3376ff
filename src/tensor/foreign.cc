// Tensors over memory of the caller's.

#include <cstdint>

#include "core/door.h"
#include "foveal/error.h"
#include "tensor/builder.h"

namespace foveal {
namespace {

/// Throws Error where the offset in bytes of some element doesn't fit in 63 bits.
void require_addressable(const Shape& shape, const Strides& strides, DType dtype) {
  std::int64_t reach = static_cast<std::int64_t>(size_of(dtype));
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    std::int64_t span = 0;
    const std::int64_t size = static_cast<std::int64_t>(size_of(dtype));
    bool overflow = __builtin_mul_overflow(strides[axis], shape[axis] - 1, &span);
    overflow = overflow || __builtin_mul_overflow(span, size, &span);
    overflow = overflow || span == INT64_MIN;
    overflow = overflow || __builtin_add_overflow(reach, span < 0 ? -span : span, &reach);
    if (overflow) {
      throw Error("from_blob: shape " + to_string(shape) + " with strides " + to_string(strides) +
                  " reaches further than 63 bits can count: use smaller strides");
    }
  }
}

/// The strides to use. Throws Error where data, shape and strides don't fit one another.
Strides checked_strides(const void* data, const Shape& shape, const Strides& strides, DType dtype) {
  const std::int64_t count = element_count(shape);
  const Strides result = strides.empty() ? row_major_strides(shape) : strides;
  if (result.size() != shape.size()) {
    throw Error("from_blob: strides " + to_string(strides) + " has " +
                std::to_string(strides.size()) + " numbers but shape " + to_string(shape) +
                " has " + std::to_string(shape.size()) + ": give one for each axis, or none");
  }
  if (count == 0) return row_major_strides(shape);
  require_addressable(shape, result, dtype);
  if (data == nullptr) {
    throw Error("from_blob: data is null but shape " + to_string(shape) + " holds " +
                std::to_string(count) + " elements: give their memory");
  }
  if (reinterpret_cast<std::uintptr_t>(data) % size_of(dtype) != 0) {
    throw Error("from_blob: data is not aligned to the " + std::to_string(size_of(dtype)) +
                " bytes of a " + to_string(dtype) + ": copy it to aligned memory first");
  }
  return result;
}

}  // namespace

Tensor Tensor::from_blob(void* data, const Shape& shape, const Strides& strides, DType dtype,
                         std::function<void(void*)> deleter) try {
  const Strides checked = checked_strides(data, shape, strides, dtype);
  return TensorBuilder::make(Storage::wrap(data, std::move(deleter), false), shape, checked, 0,
                             dtype);
} catch (...) {
  rethrow_as_error("from_blob");
}

Tensor Tensor::from_blob(const void* data, const Shape& shape, const Strides& strides, DType dtype,
                         std::function<void(const void*)> deleter) try {
  const Strides checked = checked_strides(data, shape, strides, dtype);
  // A storage keeps one kind of pointer; its read-only flag keeps the promise of this const.
  auto storage = Storage::wrap(const_cast<void*>(data), std::move(deleter), true);
  return TensorBuilder::make(std::move(storage), shape, checked, 0, dtype);
} catch (...) {
  rethrow_as_error("from_blob");
}

}  // namespace foveal
