// tensor({{1, 2}, {3, 4}}).

#include <string>

#include "core/door.h"
#include "foveal/error.h"
#include "tensor/builder.h"
#include "tensor/numbers.h"
#include "tensor/visit.h"

namespace foveal {

/// Walks a nested list once: its shape, its dtype, its numbers in order.
class NestedListReader {
 public:
  explicit NestedListReader(const NestedList& values) {
    const NestedList* first = &values;
    while (first->is_list_) {
      shape_.push_back(static_cast<std::int64_t>(first->items_.size()));
      if (first->items_.empty()) break;
      first = &first->items_.front();
    }
    read(values, 0, "values");
  }

  Tensor to_tensor(std::optional<DType> dtype) const {
    // An empty list is float32, as in PyTorch.
    const DType found = leaves_.empty() ? DType::float32 : kind_;
    const DType wanted = dtype.value_or(found);
    Tensor result = TensorBuilder::empty(shape_, wanted);
    visit(wanted, [&](auto zero) {
      using T = decltype(zero);
      T* next = TensorBuilder::written<T>(result);
      for (const NestedList* leaf : leaves_) {
        *next++ = leaf->kind_ == DType::float32 ? convert_scalar<T>(leaf->value_, "tensor")
                                                : convert<T>(leaf->integer_);
      }
    });
    return result;
  }

 private:
  void read(const NestedList& values, std::size_t depth, const std::string& place) {
    if (values.is_list_ != (depth < shape_.size())) {
      throw Error("tensor: " + place + " is a " + (values.is_list_ ? "list" : "number") +
                  " but the first entry of its depth is a " +
                  (values.is_list_ ? "number" : "list") + ": all must be nested alike");
    }
    if (!values.is_list_) {
      add_number(values);
      return;
    }
    if (static_cast<std::int64_t>(values.items_.size()) != shape_[depth]) {
      throw Error("tensor: " + place + " has " + std::to_string(values.items_.size()) +
                  " entries but the first list of its depth has " + std::to_string(shape_[depth]) +
                  ": all must have the same number");
    }
    for (std::size_t i = 0; i < values.items_.size(); ++i) {
      read(values.items_[i], depth + 1, place + "[" + std::to_string(i) + "]");
    }
  }

  void add_number(const NestedList& number) {
    leaves_.push_back(&number);
    const bool floating = kind_ == DType::float32 || number.kind_ == DType::float32;
    const bool integer = kind_ == DType::int64 || number.kind_ == DType::int64;
    kind_ = floating ? DType::float32 : integer ? DType::int64 : DType::boolean;
  }

  Shape shape_;
  DType kind_ = DType::boolean;
  std::vector<const NestedList*> leaves_;
};

Tensor tensor(const NestedList& values, std::optional<DType> dtype) try {
  return NestedListReader(values).to_tensor(dtype);
} catch (...) {
  rethrow_as_error("tensor");
}

}  // namespace foveal
