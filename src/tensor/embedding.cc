// Rows of a table at integer ids, or entries along any axis.

#include <algorithm>
#include <vector>

#include "core/door.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/numbers.h"
#include "tensor/operation.h"
#include "tensor/parallel.h"
#include "tensor/visit.h"
#include "tensor/walk.h"
#include "tensor/wide_rows.h"

namespace foveal {
namespace {

/// The ids in row-major order, each from 0 to rows - 1. `table`: what has rows, for the error.
std::vector<std::int64_t> checked_ids(const Tensor& ids, std::int64_t rows, const char* function,
                                      const char* table) {
  std::vector<std::int64_t> checked;
  checked.reserve(static_cast<std::size_t>(ids.element_count()));
  const std::int64_t* const data = ids.data<std::int64_t>();
  for_each_element<1>(ids.shape(), {ids.strides()}, [&](const auto& at) {
    const std::int64_t id = data[at[0]];
    if (id < 0 || id >= rows) {
      const auto position = static_cast<std::int64_t>(checked.size());
      throw Error(std::string(function) + ": the id at " +
                  to_string(index_of(position, ids.shape())) + " is " + std::to_string(id) +
                  " but " + table + " has " + std::to_string(rows) +
                  " rows: ids must be from 0 to " + std::to_string(rows - 1));
    }
    checked.push_back(id);
  });
  return checked;
}

/// table (n, d), row-major steps as its strides say, at ids -> (count, d), row-major.
template <class T>
void gather_rows(const Tensor& weight, const std::vector<std::int64_t>& ids, Tensor& out) {
  const Raw<T>* const table = raw(weight.data<T>());
  Raw<T>* const start = raw(TensorBuilder::written<T>(out));
  const std::int64_t row_step = weight.strides()[0], step = weight.strides()[1];
  const std::int64_t width = weight.size(1);
  const auto count = static_cast<std::int64_t>(ids.size());
  for_ranges(count, width, [&, row_step, step](std::int64_t first, std::int64_t last) {
    for (std::int64_t place = first; place < last; ++place) {
      const Raw<T>* const row = table + ids[static_cast<std::size_t>(place)] * row_step;
      Raw<T>* const to = start + place * width;
      if (step == 1) {
        std::transform(row, row + width, to, owned<T>);
      } else {
        for (std::int64_t i = 0; i < width; ++i) to[i] = owned<T>(row[i * step]);
      }
    }
  });
}

/// Adds rows (count, d) to those of `sums` at ids, in order, each thread some columns: the bits
/// don't depend on the threads.
template <class T>
void scatter_rows(const Tensor& rows, const std::vector<std::int64_t>& ids, Tensor& sums) {
  const T* const from = rows.data<T>();
  T* const to = TensorBuilder::written<T>(sums);
  const std::int64_t width = rows.size(1);
  const auto count = static_cast<std::int64_t>(ids.size());
  for_ranges(width, count, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t place = 0; place < count; ++place) {
      const T* const row = from + place * width;
      T* const sum = to + ids[static_cast<std::size_t>(place)] * width;
      for (std::int64_t i = first; i < last; ++i) sum[i] += row[i];
    }
  });
}

class Embedding final : public OperationOf<Embedding> {
 public:
  explicit Embedding(const char* name = "embedding", const char* table = "weight")
      : name_(name), table_(table) {}

  const char* name() const override { return name_; }
  Form form(Inputs inputs) const override;
  void compute(Inputs inputs, Tensor& out) const override {
    const std::vector<std::int64_t> ids = checked(inputs[1], inputs[0].size(0));
    visit(out.dtype(), [&](auto zero) { gather_rows<decltype(zero)>(inputs[0], ids, out); });
  }
  Saves saves(InputSet) const override { return {2}; }
  Tensors gradient(const Recorded& call) const override;

 private:
  std::vector<std::int64_t> checked(const Tensor& ids, std::int64_t rows) const {
    return checked_ids(ids, rows, name_, table_);
  }

  const char *name_, *table_;
};

Form Embedding::form(Inputs inputs) const {
  const Tensor &weight = inputs[0], &ids = inputs[1];
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
  Shape shape = ids.shape();
  shape.push_back(weight.size(1));
  return {shape, weight.dtype()};
}

Tensors Embedding::gradient(const Recorded& call) const {
  const Form& table = call.forms[0];
  const std::vector<std::int64_t> ids = checked(call.inputs[1], table.shape[0]);
  const DType wide = wide_dtype(table.dtype);
  const auto count = static_cast<std::int64_t>(ids.size());
  const Tensor rows = call.grad.to(wide).reshape({count, table.shape[1]}).contiguous();
  Tensor sums = Tensor::zeros(table.shape, wide);
  with_wide(wide, [&](auto zero) { scatter_rows<decltype(zero)>(rows, ids, sums); });
  return {sums.to(table.dtype), Tensor()};
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& ids) {
  return apply(Embedding(), {weight, ids});
}

Tensor index_select(const Tensor& a, std::int64_t axis, const Tensor& ids) try {
  require_defined(a, "index_select", "a");
  require_defined(ids, "index_select", "ids");
  const std::int64_t along = normalize_axis(axis, a.rank(), "index_select");
  if (ids.rank() != 1 || ids.dtype() != DType::int64) {
    throw Error("index_select: ids has shape " + to_string(ids.shape()) + " and dtype " +
                to_string(ids.dtype()) + ": it must be a vector of int64");
  }
  // The axis in front, the others as one: rows of a table.
  const Tensor turned = a.transpose(0, along);
  Shape shape = turned.shape();
  const std::int64_t width = shape[0] == 0 ? 0 : a.element_count() / shape[0];
  const Embedding select("index_select", "the axis of a");
  const Tensor rows = apply(select, {turned.reshape({shape[0], width}), ids});
  shape[0] = ids.size(0);
  return rows.reshape(shape).transpose(0, along).contiguous();
} catch (...) {
  rethrow_as_error("index_select");
}

}  // namespace foveal
