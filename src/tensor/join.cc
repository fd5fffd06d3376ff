// Joining tensors and taking them apart.

#include "core/door.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/copy.h"
#include "tensor/operation.h"

namespace foveal {
namespace {

/// "(2, 3) float32, (2, 4) int64"
std::string list_of(Inputs tensors) {
  std::string text;
  for (const Tensor& tensor : tensors) {
    if (!text.empty()) text += ", ";
    text += to_string(tensor.shape()) + " " + to_string(tensor.dtype());
  }
  return text;
}

/// Each tensor defined, all of one dtype, and shapes that fits(shape, first shape) accepts.
template <class Fits>
void require_joinable(Inputs tensors, const char* function, const char* rule, Fits fits) {
  if (tensors.empty()) {
    throw Error(std::string(function) + ": tensors is empty: give at least one");
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string argument = "tensors[" + std::to_string(i) + "]";
    require_defined(tensors[i], function, argument.c_str());
  }
  for (const Tensor& tensor : tensors) {
    if (tensor.dtype() != tensors[0].dtype() || !fits(tensor.shape(), tensors[0].shape())) {
      throw Error(std::string(function) + ": tensors are " + list_of(tensors) + ": " + rule);
    }
  }
}

class Cat final : public OperationOf<Cat> {
 public:
  explicit Cat(std::int64_t axis) : axis_(axis) {}

  const char* name() const override { return "cat"; }
  Form form(Inputs inputs) const override;
  void compute(Inputs inputs, Tensor& out) const override {
    std::int64_t start = 0;
    for (const Tensor& tensor : inputs) {
      const std::int64_t stop = start + tensor.size(axis_);
      Tensor part = out.slice(axis_, start, stop);
      copy_elements(part, tensor);
      start = stop;
    }
  }
  Tensors gradient(const Recorded& call) const override {
    const std::int64_t along = normalize_axis(axis_, call.grad.rank(), "cat");
    Tensors result;
    std::int64_t start = 0;
    for (const Form& form : call.forms) {
      const std::int64_t stop = start + form.shape[along];
      result.push_back(call.grad.slice(along, start, stop));
      start = stop;
    }
    return result;
  }

 private:
  std::int64_t axis_;
};

Form Cat::form(Inputs inputs) const {
  require_joinable(inputs, "cat", "dtypes and numbers of axes must be the same",
                   [](const Shape& a, const Shape& b) { return a.size() == b.size(); });
  const std::int64_t along = normalize_axis(axis_, inputs[0].rank(), "cat");
  require_joinable(inputs, "cat", "sizes may differ along the joined axis alone",
                   [along](Shape a, Shape b) {
                     a[along] = b[along] = 0;
                     return a == b;
                   });
  Shape shape = inputs[0].shape();
  shape[along] = 0;
  for (const Tensor& tensor : inputs) shape[along] += tensor.shape()[along];
  return {shape, inputs[0].dtype()};
}

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, std::int64_t axis) {
  return foveal::apply(Cat(axis), Inputs(tensors));  // not std::apply
}

Tensor stack(const std::vector<Tensor>& tensors, std::int64_t axis) try {
  require_joinable(tensors, "stack", "shapes and dtypes must be the same",
                   [](const Shape& a, const Shape& b) { return a == b; });
  const std::int64_t along = normalize_axis(axis, tensors[0].rank() + 1, "stack");
  std::vector<Tensor> unsqueezed;
  unsqueezed.reserve(tensors.size());
  for (const Tensor& tensor : tensors) unsqueezed.push_back(tensor.unsqueeze(along));
  return cat(unsqueezed, along);
} catch (...) {
  rethrow_as_error("stack");
}

std::vector<Tensor> unbind(const Tensor& a, std::int64_t axis) try {
  require_defined(a, "unbind", "a");
  const std::int64_t along = normalize_axis(axis, a.rank(), "unbind");
  const std::int64_t count = a.shape()[along];
  std::vector<Tensor> entries;
  entries.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) entries.push_back(a.select(along, i));
  return entries;
} catch (...) {
  rethrow_as_error("unbind");
}

}  // namespace foveal
