// Other shapes on the same memory.

#include <algorithm>
#include <optional>

#include "foveal/error.h"
#include "foveal/tensor.h"
#include "tensor/builder.h"
#include "tensor/check.h"

namespace foveal {
namespace {

/// `shape` with its -1, if any, worked out from the number of elements.
Shape resolve_shape(const Tensor& tensor, const Shape& shape, const char* function) {
  const std::string context =
      std::string(function) + ": a tensor of shape " + to_string(tensor.shape()) + " with " +
      std::to_string(tensor.element_count()) + " elements can't take shape " + to_string(shape);
  Shape result = shape;
  const auto unknown = std::find(result.begin(), result.end(), -1);
  if (unknown != result.end()) {
    *unknown = 1;
    if (std::find(result.begin(), result.end(), -1) != result.end()) {
      throw Error(context + ": only one size may be -1");
    }
    const std::int64_t known = element_count(result);
    if (known == 0) throw Error(context + ": beside a size 0, -1 could be anything; write it out");
    *unknown = tensor.element_count() / known;
  }
  if (element_count(result) != tensor.element_count()) {
    throw Error(context + ": the product of the sizes must stay the same");
  }
  return result;
}

/// The strides that show `tensor` as `shape` without a copy, if there are any. Axes of the tensor
/// that lie one within the other in memory form a block; each block is cut up by axes of the new
/// shape of the same size together.
std::optional<Strides> strides_for_view(const Tensor& tensor, const Shape& shape) {
  if (tensor.element_count() == 0) {
    return shape == tensor.shape() ? tensor.strides() : row_major_strides(shape);
  }
  const Shape& old_shape = tensor.shape();
  const Strides& old_strides = tensor.strides();
  Strides strides(shape.size());
  std::size_t next = shape.size();  // one after the next axis to give a stride, from the right
  std::size_t axis = old_shape.size();
  while (axis > 0) {
    std::int64_t block = old_shape[--axis];
    const std::int64_t step = old_strides[axis];
    while (axis > 0 && (old_shape[axis - 1] == 1 || old_strides[axis - 1] == block * step)) {
      block *= old_shape[--axis];
    }
    std::int64_t given = 1;
    while (next > 0 && (given < block || shape[next - 1] == 1)) {
      --next;
      strides[next] = given * step;
      given *= shape[next];
    }
    if (given != block) return std::nullopt;
  }
  // A scalar has no axis to start from; every new size is 1 then.
  while (next > 0) strides[--next] = 1;
  return strides;
}

}  // namespace

Tensor Tensor::view(const Shape& shape) const {
  require_defined(*this, "view");
  const Shape resolved = resolve_shape(*this, shape, "view");
  const std::optional<Strides> strides = strides_for_view(*this, resolved);
  if (!strides) {
    throw Error("view: a tensor of shape " + to_string(shape_) + " with strides " +
                to_string(strides_) + " can't be seen as " + to_string(resolved) +
                " without a copy (transpose and permute leave memory as it was): use reshape(...), "
                "or contiguous().view(...)");
  }
  return TensorBuilder::view(*this, resolved, *strides);
}

Tensor Tensor::reshape(const Shape& shape) const {
  require_defined(*this, "reshape");
  const Shape resolved = resolve_shape(*this, shape, "reshape");
  const std::optional<Strides> strides = strides_for_view(*this, resolved);
  return strides ? TensorBuilder::view(*this, resolved, *strides) : clone().view(resolved);
}

Tensor Tensor::select(std::int64_t axis, std::int64_t index) const {
  require_defined(*this, "select");
  const std::int64_t along = normalize_axis(axis, rank(), "select");
  const std::int64_t place = normalize_index(index, shape_[along], along, "select");
  Shape shape = shape_;
  Strides strides = strides_;
  shape.erase(shape.begin() + along);
  strides.erase(strides.begin() + along);
  return TensorBuilder::view(*this, shape, strides, place * strides_[along]);
}

Tensor Tensor::slice(std::int64_t axis, std::int64_t start, std::int64_t stop,
                     std::int64_t step) const {
  require_defined(*this, "slice");
  const std::int64_t along = normalize_axis(axis, rank(), "slice");
  if (step < 1) {
    throw Error("slice: step is " + std::to_string(step) + ": it must be 1 or more");
  }
  const std::int64_t size = shape_[along];
  const auto place = [size](std::int64_t bound) {
    return std::clamp<std::int64_t>(bound < 0 ? bound + size : bound, 0, size);
  };
  const std::int64_t first = place(start);
  const std::int64_t length = std::max<std::int64_t>(place(stop) - first, 0);
  // A step past the end takes one entry, however long it is.
  const std::int64_t cut_step = std::min(step, std::max<std::int64_t>(size, 1));
  Shape shape = shape_;
  Strides strides = strides_;
  shape[along] = (length + cut_step - 1) / cut_step;
  strides[along] *= cut_step;
  return TensorBuilder::view(*this, shape, strides, length == 0 ? 0 : first * strides_[along]);
}

Tensor Tensor::transpose(std::int64_t axis0, std::int64_t axis1) const {
  require_defined(*this, "transpose");
  const std::int64_t a = normalize_axis(axis0, rank(), "transpose");
  const std::int64_t b = normalize_axis(axis1, rank(), "transpose");
  Shape shape = shape_;
  Strides strides = strides_;
  std::swap(shape[a], shape[b]);
  std::swap(strides[a], strides[b]);
  return TensorBuilder::view(*this, shape, strides);
}

Tensor Tensor::permute(const std::vector<std::int64_t>& axes) const {
  require_defined(*this, "permute");
  const std::string rule = "permute: axes " + to_string(axes) + " on shape " + to_string(shape_) +
                           ": each axis must stand there exactly once";
  if (axes.size() != shape_.size()) throw Error(rule);
  std::vector<bool> seen(axes.size(), false);
  Shape shape;
  Strides strides;
  for (std::int64_t axis : axes) {
    const std::int64_t from = normalize_axis(axis, rank(), "permute");
    if (seen[from]) throw Error(rule);
    seen[from] = true;
    shape.push_back(shape_[from]);
    strides.push_back(strides_[from]);
  }
  return TensorBuilder::view(*this, shape, strides);
}

Tensor Tensor::unsqueeze(std::int64_t axis) const {
  require_defined(*this, "unsqueeze");
  const std::int64_t place = normalize_axis(axis, rank() + 1, "unsqueeze");
  Shape shape = shape_;
  Strides strides = strides_;
  strides.insert(strides.begin() + place, place == rank() ? 1 : shape_[place] * strides_[place]);
  shape.insert(shape.begin() + place, 1);
  return TensorBuilder::view(*this, shape, strides);
}

Tensor Tensor::squeeze(std::int64_t axis) const {
  require_defined(*this, "squeeze");
  const std::int64_t along = normalize_axis(axis, rank(), "squeeze");
  if (shape_[along] != 1) return *this;
  return select(along, 0);
}

Tensor Tensor::expand(const Shape& shape) const {
  require_defined(*this, "expand");
  const std::string context =
      "expand: a tensor of shape " + to_string(shape_) + " can't expand to " + to_string(shape);
  if (shape.size() < shape_.size()) {
    throw Error(context + ": give at least one size for each of its axes");
  }
  const std::size_t new_axes = shape.size() - shape_.size();
  Shape result = shape;
  Strides strides(shape.size(), 0);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis < new_axes) {
      if (shape[axis] < 0) throw Error(context + ": a new axis needs a size, 0 or more");
      continue;
    }
    const std::int64_t size = shape_[axis - new_axes];
    if (shape[axis] == -1) result[axis] = size;
    if (result[axis] == size) {
      strides[axis] = strides_[axis - new_axes];
    } else if (size != 1 || result[axis] < 0) {
      throw Error(context + ": axis " + std::to_string(axis) + " has size " + std::to_string(size) +
                  ", and only an axis of size 1 can be repeated");
    }
  }
  foveal::element_count(result);  // throws where it doesn't fit in 63 bits
  return TensorBuilder::view(*this, result, strides);
}

}  // namespace foveal
