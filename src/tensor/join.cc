// Joining tensors and taking them apart.

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/copy.h"

namespace foveal {
namespace {

/// "(2, 3) float32, (2, 4) int64"
std::string list_of(const std::vector<Tensor>& tensors) {
  std::string text;
  for (const Tensor& tensor : tensors) {
    if (!text.empty()) text += ", ";
    text += to_string(tensor.shape()) + " " + to_string(tensor.dtype());
  }
  return text;
}

/// Each tensor defined, all of one dtype, and shapes that fits(shape, first shape) accepts.
template <class Fits>
void require_joinable(const std::vector<Tensor>& tensors, const char* function, const char* rule,
                      Fits fits) {
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

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, std::int64_t axis) {
  require_joinable(tensors, "cat", "dtypes and numbers of axes must be the same",
                   [](const Shape& a, const Shape& b) { return a.size() == b.size(); });
  const std::int64_t along = normalize_axis(axis, tensors[0].rank(), "cat");
  require_joinable(tensors, "cat", "sizes may differ along the joined axis alone",
                   [along](Shape a, Shape b) {
                     a[along] = b[along] = 0;
                     return a == b;
                   });
  Shape shape = tensors[0].shape();
  shape[along] = 0;
  for (const Tensor& tensor : tensors) shape[along] += tensor.shape()[along];
  Tensor out = TensorBuilder::empty(shape, tensors[0].dtype());
  std::int64_t start = 0;
  for (const Tensor& tensor : tensors) {
    const std::int64_t stop = start + tensor.shape()[along];
    Tensor part = out.slice(along, start, stop);
    copy_elements(part, tensor);
    start = stop;
  }
  return out;
}

Tensor stack(const std::vector<Tensor>& tensors, std::int64_t axis) {
  require_joinable(tensors, "stack", "shapes and dtypes must be the same",
                   [](const Shape& a, const Shape& b) { return a == b; });
  const std::int64_t along = normalize_axis(axis, tensors[0].rank() + 1, "stack");
  std::vector<Tensor> unsqueezed;
  unsqueezed.reserve(tensors.size());
  for (const Tensor& tensor : tensors) unsqueezed.push_back(tensor.unsqueeze(along));
  return cat(unsqueezed, along);
}

std::vector<Tensor> unbind(const Tensor& a, std::int64_t axis) {
  require_defined(a, "unbind", "a");
  const std::int64_t along = normalize_axis(axis, a.rank(), "unbind");
  const std::int64_t count = a.shape()[along];
  std::vector<Tensor> entries;
  entries.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) entries.push_back(a.select(along, i));
  return entries;
}

}  // namespace foveal
