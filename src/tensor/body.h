#pragma once
// What a Tensor's handles share.

#include <memory>

#include "foveal/dtype.h"
#include "foveal/shape.h"
#include "tensor/storage.h"

namespace foveal {

/// What a tensor has to do with gradients: src/autograd knows.
struct History;

struct TensorBody {
  std::shared_ptr<Storage> storage;
  Shape shape;
  Strides strides;
  std::int64_t offset = 0;
  DType dtype = DType::float32;
  /// Of a view: the tensor whose memory it looks at, itself no view.
  std::shared_ptr<TensorBody> base;
  /// Null until the tensor, or one that it was made from, requires a gradient.
  std::shared_ptr<History> history;
  /// How often a recorded operation wrote to its memory, by itself or through a view.
  std::uint64_t rewritten = 0;
  /// Of a view: the base's count when it was made. Once it is behind, so is the view's history.
  std::uint64_t base_rewritten = 0;
};

}  // namespace foveal
