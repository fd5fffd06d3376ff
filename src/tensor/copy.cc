#include "tensor/copy.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>

#include "foveal/error.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/loops.h"
#include "tensor/numbers.h"
#include "tensor/operation.h"
#include "tensor/runs.h"
#include "tensor/transposed_copy.h"
#include "tensor/visit.h"

namespace foveal {
namespace {

/// The first byte of the tensor's elements and the one after the last.
std::pair<const char*, const char*> byte_range(const Tensor& tensor) {
  std::int64_t lowest = 0;
  std::int64_t highest = 0;
  for (std::size_t axis = 0; axis < tensor.shape().size(); ++axis) {
    const std::int64_t span = tensor.strides()[axis] * (tensor.shape()[axis] - 1);
    (span < 0 ? lowest : highest) += span;
  }
  const auto size = static_cast<std::int64_t>(size_of(tensor.dtype()));
  const char* const first = static_cast<const char*>(tensor.raw_data());
  return {first + lowest * size, first + (highest + 1) * size};
}

/// One entry copied to none is an entry lost.
void require_no_entry_lost(const Tensor& source, const Shape& shape) {
  for (std::int64_t axis = -1; axis >= -source.rank(); --axis) {
    const auto size = shape.size() + static_cast<std::size_t>(axis);
    if (size >= shape.size() || source.size(axis) != 1 || shape[size] != 0) continue;
    throw Error("copy_: source has shape " + to_string(source.shape()) +
                " but the tensor has shape " + to_string(shape) + ": axis " + std::to_string(axis) +
                " of it is empty, so what source holds would be lost; was it cut by slice?");
  }
}

Tensor expand_source(const Tensor& source, const Shape& shape) {
  require_no_entry_lost(source, shape);
  try {
    return source.expand(shape);
  } catch (const Error&) {
    throw Error("copy_: source has shape " + to_string(source.shape()) +
                ", which doesn't broadcast to the tensor's shape " + to_string(shape) +
                ": sizes must be equal from the right, or 1 in source");
  }
}

/// A call of memcpy costs as much as 200 bytes: short runs are copied here.
template <class T>
void copy_run(T* to, const T* from, std::int64_t count) {
  constexpr std::int64_t kLine = 64 / sizeof(T), kShort = 1024 / sizeof(T);
  std::int64_t i = 0;
  if (count <= kShort) {
    for (; i + kLine <= count; i += kLine) {
      std::memcpy(static_cast<void*>(to + i), from + i, 64);
    }
  }
  std::memcpy(static_cast<void*>(to + i), from + i,
              static_cast<std::size_t>(count - i) * sizeof(T));
}

/// Where the second array jumps along the innermost axis but has another axis of unit stride: that
/// axis.
std::optional<std::size_t> turned_axis(const JoinedAxes<2>& axes) {
  const std::size_t inner = axes.shape.size() - 1;
  const auto step = [&axes](std::size_t axis) { return std::abs(axes.strides[axis][1]); };
  if (step(inner) <= 1) return std::nullopt;
  for (std::size_t axis = 0; axis < inner; ++axis) {
    if (axes.strides[axis][1] == 1) return axis;
  }
  return std::nullopt;
}

/// `turned` is one of the axes. Each index of the others gives a matrix: a band of its rows is a
/// piece of work.
template <class T>
void copy_turned(T* to, const T* from, JoinedAxes<2> axes, std::size_t turned) {
  const std::int64_t rows = axes.shape.back(), columns = axes.shape[turned];
  const std::int64_t from_stride = axes.strides.back()[1], to_stride = axes.strides[turned][0];
  const std::int64_t bands = (rows + kTransposedRows<T> - 1) / kTransposedRows<T>;
  axes.shape.erase(axes.shape.begin() + static_cast<std::ptrdiff_t>(turned));
  axes.strides.erase(axes.strides.begin() + static_cast<std::ptrdiff_t>(turned));
  const std::int64_t work = kTransposedRows<T> * columns;
  for_ranges(axes.rows() * bands, work, [&](std::int64_t first, std::int64_t last) {
    RowWalk<2> walk(axes, first / bands);
    for (std::int64_t index = first; index < last; ++index) {
      const std::int64_t row = index % bands * kTransposedRows<T>;
      copy_transposed(from + walk.starts()[1] + row * from_stride, from_stride,
                      std::min(kTransposedRows<T>, rows - row), columns,
                      to + walk.starts()[0] + row, to_stride);
      if (index % bands == bands - 1) walk.advance();
    }
  });
}

/// T: any type of the elements' size.
template <class T>
void copy(Tensor& to, const Tensor& from) {
  if (to.element_count() == 0) return;
  T* const to_data = TensorBuilder::written<T>(to);
  const T* const from_data = static_cast<const T*>(from.raw_data());
  const std::array<Strides, 2> strides = {to.strides(), from.strides()};
  const JoinedAxes<2> axes = join_in_memory_order<2>(to.shape(), strides);
  const std::optional<std::size_t> turned = turned_axis(axes);
  if (turned && axes.strides.back()[0] == 1) return copy_turned(to_data, from_data, axes, *turned);
  for_runs<2>(to.shape(), strides, [=](const Run<2>& run) {
    T* const target = to_data + run.starts[0];
    const T* const source = from_data + run.starts[1];
    if (run.is_dense()) {
      copy_run(target, source, run.count);
    } else {
      const auto [to_step, from_step] = run.steps;
      for (std::int64_t i = 0; i < run.count; ++i) target[i * to_step] = source[i * from_step];
    }
  });
}

void copy_by_size(Tensor& to, const Tensor& from) {
  switch (size_of(to.dtype())) {
    case 1:
      return copy<std::uint8_t>(to, from);
    case 2:
      return copy<std::uint16_t>(to, from);
    case 4:
      return copy<float>(to, from);
    default:
      return copy<std::int64_t>(to, from);
  }
}

}  // namespace

bool may_overlap(const Tensor& a, const Tensor& b) {
  if (a.element_count() == 0 || b.element_count() == 0) return false;
  const auto [a_begin, a_end] = byte_range(a);
  const auto [b_begin, b_end] = byte_range(b);
  return std::less<>()(a_begin, b_end) && std::less<>()(b_begin, a_end);
}

void copy_elements(Tensor& to, const Tensor& from) {
  copy_by_size(to, from);
  // Only what others wrote can hold another byte than 0 and 1.
  if (to.dtype() != DType::boolean || !TensorBuilder::storage(from).may_change_unseen()) return;
  Operand flags = operand_to(to);
  flags.may_hold_other_bytes = true;
  walk_chunks({to.shape(), operand_to(to), {&flags, 1}}, [](const Chunk& chunk) {
    unary_loop<std::uint8_t, std::uint8_t>(chunk, [](std::uint8_t flag) { return flag; });
  });
}

void fill_elements(Tensor& to, double value, const char* function) {
  visit(to.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T element = convert_scalar<T>(value, function);
    const Operand from = {&element, to.dtype()};
    walk_chunks({to.shape(), operand_to(to), {&from, 1}, false}, [](const Chunk& chunk) {
      unary_loop<Raw<T>, Raw<T>>(chunk, [](Raw<T> bits) { return bits; });
    });
  });
}

Tensor laid_out_like(const Tensor& out, const Tensor& tensor) {
  if (tensor.element_count() < kRangeWork) return tensor;
  if (!turned_axis(join_in_memory_order<2>(out.shape(), {out.strides(), tensor.strides()}))) {
    return tensor;
  }
  // Axes that repeat are not written out; the others lie as they do in `out`.
  Shape shape = tensor.shape();
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (tensor.strides()[axis] == 0) shape[axis] = 1;
  }
  const std::vector<std::size_t> order = memory_order(out.strides());
  const Strides dense = row_major_strides(reordered(shape, order));
  Strides strides(shape.size());
  for (std::size_t n = 0; n < order.size(); ++n) strides[order[n]] = dense[n];
  Tensor memory = TensorBuilder::empty(shape, tensor.dtype());
  Tensor copy = TensorBuilder::view(memory, shape, strides);
  copy_elements(copy, TensorBuilder::view(tensor, shape, tensor.strides()));
  return copy.expand(tensor.shape());
}

namespace {

class Clone final : public OperationOf<Clone> {
 public:
  const char* name() const override { return "clone"; }
  Form form(Inputs inputs) const override { return {inputs[0].shape(), inputs[0].dtype()}; }
  void compute(Inputs inputs, Tensor& out) const override { copy_elements(out, inputs[0]); }
  Tensors gradient(const Recorded& call) const override { return {call.grad}; }
};

/// Of a tensor, by a number: nothing of what it was is left.
class Fill final : public OperationOf<Fill> {
 public:
  explicit Fill(double value) : value_(value) {}

  const char* name() const override { return "fill_"; }
  Form form(Inputs inputs) const override { return {inputs[0].shape(), inputs[0].dtype()}; }
  void compute(Inputs, Tensor& out) const override { fill_elements(out, value_, "fill_"); }
  Tensors gradient(const Recorded&) const override { return {Tensor()}; }

 private:
  double value_;
};

/// Of a source into a tensor.
class Copy final : public OperationOf<Copy> {
 public:
  const char* name() const override { return "copy_"; }
  Form form(Inputs inputs) const override {
    require_defined(inputs[1], "copy_", "source");
    return {inputs[0].shape(), inputs[0].dtype()};
  }
  void compute(Inputs inputs, Tensor& out) const override {
    // Conversion comes first: where a value has no int64 it throws, and nothing has changed yet.
    Tensor elements = expand_source(inputs[1].to(out.dtype()), out.shape());
    if (may_overlap(out, elements)) elements = elements.clone();
    copy_elements(out, elements);
  }
  Tensors gradient(const Recorded& call) const override {
    const DType source = call.forms[1].dtype;
    return {Tensor(), is_floating(source) ? call.grad.to(source) : Tensor()};
  }
};

}  // namespace

Tensor Tensor::clone() const {
  require_defined(*this, "clone");
  return apply(Clone(), {*this});
}

Tensor Tensor::contiguous() const {
  require_defined(*this, "contiguous");
  return is_contiguous() ? *this : apply(Clone(), {*this});
}

Tensor& Tensor::fill_(double value) {
  apply_in_place(Fill(value), *this, {});
  return *this;
}

Tensor& Tensor::copy_(const Tensor& source) {
  apply_in_place(Copy(), *this, {&source, 1});
  return *this;
}

}  // namespace foveal
