#pragma once
// The one door to a Tensor's private parts, for this room and those that make tensors.

#include <memory>
#include <utility>

#include "foveal/tensor.h"
#include "tensor/storage.h"

namespace foveal {

class TensorBuilder {
 public:
  /// Memory of its own, row-major, not initialised.
  static Tensor empty(const Shape& shape, DType dtype) {
    return make(Storage::allocate(shape, dtype), shape, row_major_strides(shape), 0, dtype);
  }

  static Tensor make(std::shared_ptr<Storage> storage, Shape shape, Strides strides,
                     std::int64_t offset, DType dtype) {
    Tensor tensor;
    tensor.storage_ = std::move(storage);
    tensor.shape_ = std::move(shape);
    tensor.strides_ = std::move(strides);
    tensor.offset_ = offset;
    tensor.dtype_ = dtype;
    return tensor;
  }

  /// A view on the memory of `tensor` that starts `shift` elements after it.
  static Tensor view(const Tensor& tensor, Shape shape, Strides strides, std::int64_t shift = 0) {
    return make(tensor.storage_, std::move(shape), std::move(strides), tensor.offset_ + shift,
                tensor.dtype_);
  }

  /// Where an operation writes: data<T>() without handing the pointer out. What is written into
  /// memory that callers know, the operation counts itself.
  template <class T>
  static T* written(Tensor& tensor) {
    return static_cast<T*>(tensor.storage_->writable_data()) + tensor.offset_;
  }

  static Storage& storage(const Tensor& tensor) { return *tensor.storage_; }
};

}  // namespace foveal
