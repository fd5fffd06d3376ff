#pragma once
// The one door to a Tensor's private parts, for this room and those that make tensors.

#include <memory>
#include <utility>

#include "foveal/tensor.h"
#include "tensor/body.h"

namespace foveal {

class TensorBuilder {
 public:
  /// Memory of its own, row-major, not initialised.
  static Tensor empty(const Shape& shape, DType dtype) {
    return make(Storage::allocate(shape, dtype), shape, row_major_strides(shape), 0, dtype);
  }

  static Tensor make(std::shared_ptr<Storage> storage, Shape shape, Strides strides,
                     std::int64_t offset, DType dtype) {
    auto body = std::make_shared<TensorBody>();
    body->storage = std::move(storage);
    body->shape = std::move(shape);
    body->strides = std::move(strides);
    body->offset = offset;
    body->dtype = dtype;
    return of(std::move(body));
  }

  /// A view on the memory of `tensor` that starts `shift` elements after it.
  static Tensor view(const Tensor& tensor, Shape shape, Strides strides, std::int64_t shift = 0) {
    Tensor result = make(tensor.body_->storage, std::move(shape), std::move(strides),
                         tensor.body_->offset + shift, tensor.body_->dtype);
    result.body_->base = tensor.body_->base ? tensor.body_->base : tensor.body_;
    result.body_->base_rewritten = result.body_->base->rewritten;
    return result;
  }

  /// The same elements, and nothing of where they came from.
  static Tensor detached(const Tensor& tensor) {
    const TensorBody& body = *tensor.body_;
    return make(body.storage, body.shape, body.strides, body.offset, body.dtype);
  }

  /// What all handles on `tensor` hold becomes what `other` holds; its history stays.
  static void replace(Tensor& tensor, const Tensor& other) {
    TensorBody& body = *tensor.body_;
    const TensorBody& from = *other.body_;
    body.storage = from.storage;
    body.shape = from.shape;
    body.strides = from.strides;
    body.offset = from.offset;
    body.dtype = from.dtype;
    body.base = nullptr;
  }

  static Tensor of(std::shared_ptr<TensorBody> body) {
    Tensor tensor;
    tensor.body_ = std::move(body);
    return tensor;
  }

  /// Null where the tensor is undefined.
  static const std::shared_ptr<TensorBody>& body(const Tensor& tensor) { return tensor.body_; }

  /// Where an operation writes: data<T>() without handing the pointer out. What is written into
  /// memory that callers know, the operation counts itself.
  template <class T>
  static T* written(Tensor& tensor) {
    return static_cast<T*>(tensor.body_->storage->writable_data()) + tensor.body_->offset;
  }

  /// The same without its type.
  static void* written(Tensor& tensor) {
    const auto size = static_cast<std::int64_t>(size_of(tensor.body_->dtype));
    return static_cast<char*>(tensor.body_->storage->writable_data()) + tensor.body_->offset * size;
  }

  static Storage& storage(const Tensor& tensor) { return *tensor.body_->storage; }
};

}  // namespace foveal
