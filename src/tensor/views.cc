// Other shapes on the same memory.

#include <algorithm>
#include <optional>

#include "core/door.h"
#include "foveal/error.h"
#include "foveal/tensor.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/operation.h"

namespace foveal {
namespace {

/// `shape` with its -1, if any, worked out from the number of elements.
Shape resolve_shape(const Tensor& tensor, const Shape& shape, const char* function) {
  const auto context = [&] {
    return std::string(function) + ": a tensor of shape " + to_string(tensor.shape()) + " with " +
           std::to_string(tensor.element_count()) + " elements can't take shape " +
           to_string(shape);
  };
  Shape result = shape;
  const auto unknown = std::find(result.begin(), result.end(), -1);
  if (unknown != result.end()) {
    *unknown = 1;
    if (std::find(result.begin(), result.end(), -1) != result.end()) {
      throw Error(context() + ": only one size may be -1");
    }
    const std::int64_t known = element_count(result);
    if (known == 0)
      throw Error(context() + ": beside a size 0, -1 could be anything; write it out");
    *unknown = tensor.element_count() / known;
  }
  if (element_count(result) != tensor.element_count()) {
    throw Error(context() + ": the product of the sizes must stay the same");
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

/// Where the elements of a view lie.
struct Geometry {
  Shape shape;
  Strides strides;
  std::int64_t shift = 0;
};

template <class Self>
class ViewOf : public OperationOf<Self> {
 public:
  virtual Geometry geometry(const Tensor& tensor) const = 0;

  Form form(Inputs inputs) const final { return {geometry(inputs[0]).shape, inputs[0].dtype()}; }
  void compute(Inputs, Tensor&) const final {}  // nothing moves
  Tensor run(Inputs inputs) const final {
    Geometry place = geometry(inputs[0]);
    return TensorBuilder::view(inputs[0], std::move(place.shape), std::move(place.strides),
                               place.shift);
  }
  /// The same elements in the same order.
  Tensors gradient(const Recorded& call) const override {
    return {call.grad.reshape(call.forms[0].shape)};
  }
};

class View final : public ViewOf<View> {
 public:
  explicit View(const Shape& shape) : shape_(shape) {}
  const char* name() const override { return "view"; }
  Geometry geometry(const Tensor& tensor) const override;

 private:
  Shape shape_;
};

Geometry View::geometry(const Tensor& tensor) const {
  const Shape resolved = resolve_shape(tensor, shape_, "view");
  const std::optional<Strides> strides = strides_for_view(tensor, resolved);
  if (!strides) {
    throw Error("view: a tensor of shape " + to_string(tensor.shape()) + " with strides " +
                to_string(tensor.strides()) + " can't be seen as " + to_string(resolved) +
                " without a copy (transpose and permute leave memory as it was): use reshape(...), "
                "or contiguous().view(...)");
  }
  return {resolved, *strides};
}

/// A view where that is possible, else a copy.
class Reshape final : public OperationOf<Reshape> {
 public:
  explicit Reshape(const Shape& shape) : shape_(shape) {}
  const char* name() const override { return "reshape"; }
  Form form(Inputs inputs) const override {
    return {resolve_shape(inputs[0], shape_, "reshape"), inputs[0].dtype()};
  }
  void compute(Inputs inputs, Tensor& out) const override {
    out.view(inputs[0].shape()).copy_(inputs[0]);
  }
  Tensor run(Inputs inputs) const override {
    const Shape resolved = form(inputs).shape;
    std::optional<Strides> strides = strides_for_view(inputs[0], resolved);
    if (strides) return TensorBuilder::view(inputs[0], resolved, std::move(*strides));
    const Tensor copy = inputs[0].clone();
    return TensorBuilder::make(TensorBuilder::body(copy)->storage, resolved,
                               row_major_strides(resolved), 0, copy.dtype());
  }
  Tensors gradient(const Recorded& call) const override {
    return {call.grad.reshape(call.forms[0].shape)};
  }

 private:
  Shape shape_;
};

class Select final : public ViewOf<Select> {
 public:
  Select(std::int64_t axis, std::int64_t index) : axis_(axis), index_(index) {}
  const char* name() const override { return "select"; }
  bool takes_part() const override { return true; }
  Geometry geometry(const Tensor& tensor) const override {
    const std::int64_t along = normalize_axis(axis_, tensor.rank(), "select");
    const std::int64_t place = normalize_index(index_, tensor.shape()[along], along, "select");
    Geometry result{tensor.shape(), tensor.strides(), place * tensor.strides()[along]};
    result.shape.erase(result.shape.begin() + along);
    result.strides.erase(result.strides.begin() + along);
    return result;
  }

 private:
  std::int64_t axis_, index_;
};

class Slice final : public ViewOf<Slice> {
 public:
  Slice(std::int64_t axis, std::int64_t start, std::int64_t stop, std::int64_t step)
      : axis_(axis), start_(start), stop_(stop), step_(step) {}
  const char* name() const override { return "slice"; }
  bool takes_part() const override { return true; }
  Geometry geometry(const Tensor& tensor) const override;

 private:
  std::int64_t axis_, start_, stop_, step_;
};

Geometry Slice::geometry(const Tensor& tensor) const {
  const std::int64_t along = normalize_axis(axis_, tensor.rank(), "slice");
  if (step_ < 1) {
    throw Error("slice: step is " + std::to_string(step_) + ": it must be 1 or more");
  }
  const std::int64_t size = tensor.shape()[along];
  const auto place = [size](std::int64_t bound) {
    return std::clamp<std::int64_t>(bound < 0 ? bound + size : bound, 0, size);
  };
  const std::int64_t first = place(start_);
  const std::int64_t length = std::max<std::int64_t>(place(stop_) - first, 0);
  // A step past the end takes one entry, however long it is.
  const std::int64_t cut_step = std::min(step_, std::max<std::int64_t>(size, 1));
  Geometry result{tensor.shape(), tensor.strides(),
                  length == 0 ? 0 : first * tensor.strides()[along]};
  result.shape[along] = (length + cut_step - 1) / cut_step;
  result.strides[along] *= cut_step;
  return result;
}

class Transpose final : public ViewOf<Transpose> {
 public:
  Transpose(std::int64_t axis0, std::int64_t axis1) : axis0_(axis0), axis1_(axis1) {}
  const char* name() const override { return "transpose"; }
  Geometry geometry(const Tensor& tensor) const override {
    const std::int64_t a = normalize_axis(axis0_, tensor.rank(), "transpose");
    const std::int64_t b = normalize_axis(axis1_, tensor.rank(), "transpose");
    Geometry result{tensor.shape(), tensor.strides()};
    std::swap(result.shape[a], result.shape[b]);
    std::swap(result.strides[a], result.strides[b]);
    return result;
  }
  Tensors gradient(const Recorded& call) const override {
    return {call.grad.transpose(axis0_, axis1_)};
  }

 private:
  std::int64_t axis0_, axis1_;
};

class Permute final : public ViewOf<Permute> {
 public:
  explicit Permute(const std::vector<std::int64_t>& axes) : axes_(axes) {}
  const char* name() const override { return "permute"; }
  Geometry geometry(const Tensor& tensor) const override;
  Tensors gradient(const Recorded& call) const override {
    const std::int64_t rank = call.grad.rank();
    std::vector<std::int64_t> back(axes_.size());
    for (std::int64_t n = 0; n < rank; ++n) back[normalize_axis(axes_[n], rank, "permute")] = n;
    return {call.grad.permute(back)};
  }

 private:
  std::vector<std::int64_t> axes_;
};

Geometry Permute::geometry(const Tensor& tensor) const {
  const std::string rule = "permute: axes " + to_string(axes_) + " on shape " +
                           to_string(tensor.shape()) + ": each axis must stand there exactly once";
  if (axes_.size() != tensor.shape().size()) throw Error(rule);
  std::vector<bool> seen(axes_.size(), false);
  Geometry result;
  for (const std::int64_t axis : axes_) {
    const std::int64_t from = normalize_axis(axis, tensor.rank(), "permute");
    if (seen[from]) throw Error(rule);
    seen[from] = true;
    result.shape.push_back(tensor.shape()[from]);
    result.strides.push_back(tensor.strides()[from]);
  }
  return result;
}

class Unsqueeze final : public ViewOf<Unsqueeze> {
 public:
  explicit Unsqueeze(std::int64_t axis) : axis_(axis) {}
  const char* name() const override { return "unsqueeze"; }
  Geometry geometry(const Tensor& tensor) const override {
    const std::int64_t rank = tensor.rank();
    const std::int64_t place = normalize_axis(axis_, rank + 1, "unsqueeze");
    Geometry result{tensor.shape(), tensor.strides()};
    const std::int64_t step = place == rank ? 1 : result.shape[place] * result.strides[place];
    result.strides.insert(result.strides.begin() + place, step);
    result.shape.insert(result.shape.begin() + place, 1);
    return result;
  }

 private:
  std::int64_t axis_;
};

/// Of an axis of size 1.
class Squeeze final : public ViewOf<Squeeze> {
 public:
  explicit Squeeze(std::int64_t axis) : axis_(axis) {}
  const char* name() const override { return "squeeze"; }
  Geometry geometry(const Tensor& tensor) const override {
    Geometry result{tensor.shape(), tensor.strides()};
    result.shape.erase(result.shape.begin() + axis_);
    result.strides.erase(result.strides.begin() + axis_);
    return result;
  }

 private:
  std::int64_t axis_;
};

class Expand final : public ViewOf<Expand> {
 public:
  explicit Expand(const Shape& shape) : shape_(shape) {}
  const char* name() const override { return "expand"; }
  Geometry geometry(const Tensor& tensor) const override;
  /// The caller sums what was repeated.
  Tensors gradient(const Recorded& call) const override { return {call.grad}; }

 private:
  Shape shape_;
};

Geometry Expand::geometry(const Tensor& tensor) const {
  const auto context = [&] {
    return "expand: a tensor of shape " + to_string(tensor.shape()) + " can't expand to " +
           to_string(shape_);
  };
  if (shape_.size() < tensor.shape().size()) {
    throw Error(context() + ": give at least one size for each of its axes");
  }
  const std::size_t new_axes = shape_.size() - tensor.shape().size();
  Geometry result{shape_, Strides(shape_.size(), 0)};
  for (std::size_t axis = 0; axis < shape_.size(); ++axis) {
    if (axis < new_axes) {
      if (shape_[axis] < 0) throw Error(context() + ": a new axis needs a size, 0 or more");
      continue;
    }
    const std::int64_t size = tensor.shape()[axis - new_axes];
    if (shape_[axis] == -1) result.shape[axis] = size;
    if (result.shape[axis] == size) {
      result.strides[axis] = tensor.strides()[axis - new_axes];
    } else if (size != 1 || result.shape[axis] < 0) {
      throw Error(context() + ": axis " + std::to_string(axis) + " has size " +
                  std::to_string(size) + ", and only an axis of size 1 can be repeated");
    }
  }
  foveal::element_count(result.shape);  // throws where it doesn't fit in 63 bits
  return result;
}

}  // namespace

Tensor Tensor::view(const Shape& shape) const try {
  require_defined(*this, "view");
  return apply(View(shape), {*this});
} catch (...) {
  rethrow_as_error("view");
}

Tensor Tensor::reshape(const Shape& shape) const try {
  require_defined(*this, "reshape");
  return apply(Reshape(shape), {*this});
} catch (...) {
  rethrow_as_error("reshape");
}

Tensor Tensor::select(std::int64_t axis, std::int64_t index) const {
  require_defined(*this, "select");
  return apply(Select(axis, index), {*this});
}

Tensor Tensor::slice(std::int64_t axis, std::int64_t start, std::int64_t stop,
                     std::int64_t step) const {
  require_defined(*this, "slice");
  return apply(Slice(axis, start, stop, step), {*this});
}

Tensor Tensor::narrow(std::int64_t axis, std::int64_t start, std::int64_t length) const {
  require_defined(*this, "narrow");
  const std::int64_t size =
      shape()[static_cast<std::size_t>(normalize_axis(axis, rank(), "narrow"))];
  if (start < 0 || length < 0 || start > size || length > size - start) {
    throw Error("narrow: start " + std::to_string(start) + " with length " +
                std::to_string(length) + " reaches beyond axis " + std::to_string(axis) +
                " of shape " + to_string(shape()) + ": both count from 0, and start + length is " +
                std::to_string(size) + " at most (slice cuts instead)");
  }
  return slice(axis, start, start + length);
}

Tensor Tensor::transpose(std::int64_t axis0, std::int64_t axis1) const {
  require_defined(*this, "transpose");
  return apply(Transpose(axis0, axis1), {*this});
}

Tensor Tensor::permute(const std::vector<std::int64_t>& axes) const try {
  require_defined(*this, "permute");
  return apply(Permute(axes), {*this});
} catch (...) {
  rethrow_as_error("permute");
}

Tensor Tensor::unsqueeze(std::int64_t axis) const {
  require_defined(*this, "unsqueeze");
  return apply(Unsqueeze(axis), {*this});
}

Tensor Tensor::squeeze(std::int64_t axis) const {
  require_defined(*this, "squeeze");
  const std::int64_t along = normalize_axis(axis, rank(), "squeeze");
  return shape()[along] != 1 ? *this : apply(Squeeze(along), {*this});
}

Tensor Tensor::expand(const Shape& shape) const try {
  require_defined(*this, "expand");
  return apply(Expand(shape), {*this});
} catch (...) {
  rethrow_as_error("expand");
}

}  // namespace foveal
