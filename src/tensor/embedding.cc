// Rows of a table at integer ids.

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/visit.h"
#include "tensor/walk.h"

namespace foveal {
namespace {

/// The index of the element that is number `position` in row-major order.
Shape index_of(std::int64_t position, const Shape& shape) {
  Shape index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = position % shape[axis];
    position /= shape[axis];
  }
  return index;
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& ids) {
  require_defined(weight, "embedding", "weight");
  require_defined(ids, "embedding", "ids");
  if (weight.rank() != 2) {
    throw Error("embedding: weight has shape " + to_string(weight.shape()) +
                ": it must be (n, d), one row an id");
  }
  if (ids.dtype() != DType::int64) {
    throw Error("embedding: ids has dtype " + to_string(ids.dtype()) +
                ": it must be int64; convert it with to(int64)");
  }
  const std::int64_t rows = weight.size(0), width = weight.size(1);
  Shape shape = ids.shape();
  shape.push_back(width);
  Tensor out = TensorBuilder::empty(shape, weight.dtype());
  visit(weight.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* const table = weight.data<T>();
    const std::int64_t* const id_data = ids.data<std::int64_t>();
    T* const start = out.data<T>();
    T* next = start;
    std::int64_t position = 0;
    for_each_element<1>(ids.shape(), {ids.strides()}, [&](const auto& at) {
      const std::int64_t id = id_data[at[0]];
      if (id < 0 || id >= rows) {
        throw Error("embedding: the id at " + to_string(index_of(position, ids.shape())) + " is " +
                    std::to_string(id) + " but weight has " + std::to_string(rows) +
                    " rows: ids must be from 0 to " + std::to_string(rows - 1));
      }
      const T* const row = table + id * weight.strides()[0];
      for (std::int64_t i = 0; i < width; ++i) *next++ = row[i * weight.strides()[1]];
      ++position;
    });
  });
  return out;
}

}  // namespace foveal
