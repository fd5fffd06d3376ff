// Rows of a table at integer ids.

#include <algorithm>
#include <vector>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/numbers.h"
#include "tensor/parallel.h"
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

/// The ids in row-major order, each from 0 to rows - 1.
std::vector<std::int64_t> checked_ids(const Tensor& ids, std::int64_t rows) {
  std::vector<std::int64_t> checked;
  checked.reserve(static_cast<std::size_t>(ids.element_count()));
  const std::int64_t* const data = ids.data<std::int64_t>();
  for_each_element<1>(ids.shape(), {ids.strides()}, [&](const auto& at) {
    const std::int64_t id = data[at[0]];
    if (id < 0 || id >= rows) {
      const auto position = static_cast<std::int64_t>(checked.size());
      throw Error("embedding: the id at " + to_string(index_of(position, ids.shape())) + " is " +
                  std::to_string(id) + " but weight has " + std::to_string(rows) +
                  " rows: ids must be from 0 to " + std::to_string(rows - 1));
    }
    checked.push_back(id);
  });
  return checked;
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
  const std::vector<std::int64_t> places = checked_ids(ids, rows);
  visit(weight.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Raw<T>* const table = raw(weight.data<T>());
    Raw<T>* const start = raw(TensorBuilder::written<T>(out));
    const std::int64_t row_step = weight.strides()[0], step = weight.strides()[1];
    const auto count = static_cast<std::int64_t>(places.size());
    for_ranges(count, width, [&, row_step, step](std::int64_t first, std::int64_t last) {
      for (std::int64_t place = first; place < last; ++place) {
        const Raw<T>* const row = table + places[static_cast<std::size_t>(place)] * row_step;
        Raw<T>* const to = start + place * width;
        if (step == 1) {
          std::transform(row, row + width, to, owned<T>);
        } else {
          for (std::int64_t i = 0; i < width; ++i) to[i] = owned<T>(row[i * step]);
        }
      }
    });
  });
  return out;
}

}  // namespace foveal
