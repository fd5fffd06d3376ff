// Sums, means and maxima.

#include <algorithm>
#include <vector>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/chunks.h"
#include "tensor/lines.h"
#include "tensor/operation.h"
#include "tensor/visit.h"

namespace foveal {
namespace {

double add(double sum, double value) { return sum + value; }

std::int64_t add(std::int64_t sum, std::int64_t value) {
  std::int64_t result = 0;
  if (__builtin_add_overflow(sum, value, &result)) {
    throw Error("sum: the sum is outside int64: convert the tensor with to(float64)");
  }
  return result;
}

/// A reduction in Sum of numbers of type C.
template <class Sum, class C>
struct Adding {
  using Total = Sum;
  static Sum start(C) { return Sum{0}; }
  static Sum take(Sum total, C value) { return add(total, static_cast<Sum>(value)); }
  static Sum join(Sum total, Sum other) { return add(total, other); }
};

template <class C>
struct Largest {
  using Total = C;
  static C start(C value) { return value; }
  /// NaN wins, as in PyTorch.
  static C take(C best, C value) {
    const bool taken = (value > best) | (value != value);
    return taken ? value : best;
  }
  static C join(C best, C other) { return take(best, other); }
};

// Numbers go to so many totals in turn, so that the CPU works on them side by side.
constexpr std::int64_t kTotals = 16;

/// Of from[0], from[step], ...
template <class Reduction, class T>
typename Reduction::Total reduce_line(const Reader<T>& reader, const T* from, std::int64_t step,
                                      std::int64_t size) {
  alignas(64) Compute<T> room[kChunk];
  typename Reduction::Total totals[kTotals];
  std::fill_n(totals, kTotals, Reduction::start(size > 0 ? number_at(from) : Compute<T>{}));
  for (std::int64_t done = 0; done < size; done += kChunk) {
    const std::int64_t count = std::min(kChunk, size - done);
    const Compute<T>* const numbers = reader.read(from + done * step, step, count, room);
    const std::int64_t whole = count - count % kTotals;
    for (std::int64_t i = 0; i < whole; i += kTotals) {
#pragma GCC unroll 1  // so that it becomes a vector loop first
      for (std::int64_t n = 0; n < kTotals; ++n) {
        totals[n] = Reduction::take(totals[n], numbers[i + n]);
      }
    }
    for (std::int64_t i = whole; i < count; ++i) {
      totals[i - whole] = Reduction::take(totals[i - whole], numbers[i]);
    }
  }
  for (std::int64_t width = kTotals / 2; width > 0; width /= 2) {
    for (std::int64_t n = 0; n < width; ++n) {
      totals[n] = Reduction::join(totals[n], totals[n + width]);
    }
  }
  return totals[0];
}

// Lines of a block that are reduced together.
constexpr std::int64_t kBlock = 256;

/// Lines that lie side by side, an element of each after the other.
template <class Reduction, class Out, class T>
void reduce_block(const Reader<T>& reader, const T* from, std::int64_t size, std::int64_t axis_step,
                  const LineBlock& block, Out* to) {
  alignas(64) Compute<T> room[kBlock];
  typename Reduction::Total totals[kBlock];
  for (std::int64_t i = 0; i < size; ++i) {
    const Compute<T>* const numbers =
        reader.read(from + i * axis_step, block.step, block.count, room);
    if (i == 0) std::transform(numbers, numbers + block.count, totals, Reduction::start);
    for (std::int64_t n = 0; n < block.count; ++n) {
      totals[n] = Reduction::take(totals[n], numbers[n]);
    }
  }
  for (std::int64_t n = 0; n < block.count; ++n) to[n * block.out_step] = convert<Out>(totals[n]);
}

template <class Reduction, class Out, class T>
void reduce_lines(const Tensor& a, Tensor& out, std::int64_t axis) {
  const T* const from = a.data<T>();
  Out* const to = TensorBuilder::written<Out>(out);
  const std::int64_t size = a.shape()[axis], step = a.strides()[axis];
  const Reader<T> reader;
  if (size > 0 && lie_side_by_side(a, axis)) {
    for_line_blocks(a, out, axis, kBlock, [=](const LineBlock& block) {
      reduce_block<Reduction>(reader, from + block.a, size, step, block, to + block.out);
    });
  } else {
    for_lines(a, out, axis, [=] {
      return [=](std::int64_t line, std::int64_t place) {
        to[place] = convert<Out>(reduce_line<Reduction>(reader, from + line, step, size));
      };
    });
  }
}

/// Sums along `axis` in Sum, rounded to Out once.
template <class Sum, class Out, class T>
void sum_lines(const Tensor& a, Tensor& out, std::int64_t axis) {
  reduce_lines<Adding<Sum, Compute<T>>, Out, T>(a, out, axis);
}

/// The sum of a vector, in Sum: pieces in parallel, then one after the other.
template <class Sum, class Out, class T>
void sum_vector(const Tensor& a, Tensor& out) {
  const T* const from = a.data<T>();
  const std::int64_t size = a.size(0), step = a.strides()[0];
  const Reader<T> reader;
  std::vector<Sum> parts(static_cast<std::size_t>((size + kRangeWork - 1) / kRangeWork));
  const auto count = static_cast<std::int64_t>(parts.size());
  for_ranges(count, kRangeWork, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const std::int64_t first = n * kRangeWork;
      parts[static_cast<std::size_t>(n)] = reduce_line<Adding<Sum, Compute<T>>>(
          reader, from + first * step, step, std::min(kRangeWork, size - first));
    }
  });
  Sum total{0};
  for (const Sum part : parts) total = add(total, part);
  *TensorBuilder::written<Out>(out) = convert<Out>(total);
}

/// act(zeros of Sum, Out and T) for a's dtype. A sum of bools counts them.
template <class Act>
void with_sum_types(DType dtype, Act act) {
  if (dtype == DType::boolean) {
    act(std::int64_t{}, std::int64_t{}, bool{});
  } else if (dtype == DType::int64) {
    act(std::int64_t{}, std::int64_t{}, std::int64_t{});
  } else {
    visit_floating(dtype, [&](auto zero) { act(double{}, zero, zero); });
  }
}

DType sum_dtype(const Tensor& a) { return a.dtype() == DType::boolean ? DType::int64 : a.dtype(); }

/// The gradient of a mean's sum. In float64: `count` may be more than a 16-bit type holds.
Tensor shared_out(const Tensor& grad, std::int64_t count) {
  return (grad.to(DType::float64) / static_cast<double>(count)).to(grad.dtype());
}

/// `shape` without `axis`, or with it at size 1.
Shape reduced_shape(Shape shape, std::int64_t axis, bool keepdim) {
  if (!keepdim) return without_axis(std::move(shape), axis);
  shape[axis] = 1;
  return shape;
}

/// Along one axis.
class SumAlong final : public OperationOf<SumAlong> {
 public:
  SumAlong(std::int64_t axis, bool keepdim, bool mean = false)
      : axis_(axis), keepdim_(keepdim), mean_(mean) {}

  const char* name() const override { return mean_ ? "mean" : "sum"; }
  Form form(Inputs inputs) const override {
    require_defined(inputs[0], name(), "a");
    if (mean_) require_floating(inputs[0], name(), "a");
    const std::int64_t along = normalize_axis(axis_, inputs[0].rank(), name());
    return {reduced_shape(inputs[0].shape(), along, keepdim_), sum_dtype(inputs[0])};
  }
  void compute(Inputs inputs, Tensor& out) const override;
  Tensors gradient(const Recorded& call) const override;

 private:
  std::int64_t axis_;
  bool keepdim_, mean_;
};

void SumAlong::compute(Inputs inputs, Tensor& out) const {
  const Tensor& a = inputs[0];
  const std::int64_t along = normalize_axis(axis_, a.rank(), name());
  Tensor totals = keepdim_ ? out : out.unsqueeze(along);
  if (!mean_) {
    with_sum_types(a.dtype(), [&](auto sum, auto result, auto element) {
      sum_lines<decltype(sum), decltype(result), decltype(element)>(a, totals, along);
    });
    return;
  }
  Tensor sums = TensorBuilder::empty(totals.shape(), DType::float64);
  visit_floating(a.dtype(),
                 [&](auto zero) { sum_lines<double, double, decltype(zero)>(a, sums, along); });
  totals.copy_(sums / static_cast<double>(a.size(along)));
}

Tensors SumAlong::gradient(const Recorded& call) const {
  const Shape& shape = call.forms[0].shape;
  const std::int64_t along = normalize_axis(axis_, static_cast<std::int64_t>(shape.size()), name());
  const Tensor grad = keepdim_ ? call.grad : call.grad.unsqueeze(along);
  return {(mean_ ? shared_out(grad, shape[along]) : grad).expand(shape)};
}

/// Of all elements.
class SumAll final : public OperationOf<SumAll> {
 public:
  explicit SumAll(bool mean = false) : mean_(mean) {}

  const char* name() const override { return mean_ ? "mean" : "sum"; }
  Form form(Inputs inputs) const override {
    require_defined(inputs[0], name(), "a");
    if (mean_) require_floating(inputs[0], name(), "a");
    return {{}, sum_dtype(inputs[0])};
  }
  void compute(Inputs inputs, Tensor& out) const override {
    const Tensor elements = inputs[0].reshape({inputs[0].element_count()});
    if (!mean_) {
      with_sum_types(elements.dtype(), [&](auto sum, auto result, auto element) {
        sum_vector<decltype(sum), decltype(result), decltype(element)>(elements, out);
      });
      return;
    }
    Tensor total = TensorBuilder::empty({}, DType::float64);
    visit_floating(elements.dtype(),
                   [&](auto zero) { sum_vector<double, double, decltype(zero)>(elements, total); });
    out.copy_(total / static_cast<double>(elements.element_count()));
  }
  Tensors gradient(const Recorded& call) const override {
    const Shape& shape = call.forms[0].shape;
    const Tensor grad = mean_ ? shared_out(call.grad, element_count(shape)) : call.grad;
    return {grad.reshape(Shape(shape.size(), 1)).expand(shape)};
  }

 private:
  bool mean_;
};

class Max final : public OperationOf<Max> {
 public:
  Max(std::int64_t axis, bool keepdim) : axis_(axis), keepdim_(keepdim) {}

  const char* name() const override { return "max"; }
  Form form(Inputs inputs) const override;
  void compute(Inputs inputs, Tensor& out) const override {
    const std::int64_t along = normalize_axis(axis_, inputs[0].rank(), "max");
    Tensor largest = keepdim_ ? out : out.unsqueeze(along);
    visit(out.dtype(), [&](auto zero) {
      using T = decltype(zero);
      reduce_lines<Largest<Compute<T>>, T, T>(inputs[0], largest, along);
    });
  }
  Saves saves(InputSet) const override { return {1}; }
  Tensors gradient(const Recorded& call) const override;

 private:
  std::int64_t axis_;
  bool keepdim_;
};

Form Max::form(Inputs inputs) const {
  const Tensor& a = inputs[0];
  require_defined(a, "max", "a");
  const std::int64_t along = normalize_axis(axis_, a.rank(), "max");
  if (a.shape()[along] == 0) {
    throw Error("max: a has shape " + to_string(a.shape()) + ": axis " + std::to_string(along) +
                " is empty, and no number is its maximum");
  }
  return {reduced_shape(a.shape(), along, keepdim_), a.dtype()};
}

/// To the first of the largest entries of each line, or the first NaN.
Tensors Max::gradient(const Recorded& call) const {
  const Tensor& a = call.inputs[0];
  const std::int64_t along = normalize_axis(axis_, a.rank(), "max"), size = a.size(along);
  const Tensor lines = a.to(DType::float64).transpose(along, -1).contiguous();
  const Tensor grad = keepdim_ ? call.grad : call.grad.unsqueeze(along);
  const Tensor grads = grad.to(DType::float64).transpose(along, -1).contiguous();
  Tensor result = Tensor::zeros(lines.shape(), DType::float64);
  const auto* line = lines.data<double>();
  auto* to = TensorBuilder::written<double>(result);
  for (std::int64_t n = 0; n < grads.element_count(); ++n, line += size, to += size) {
    const auto* const place = std::max_element(line, line + size, [](double best, double value) {
      return value > best || (value != value && best == best);
    });
    to[place - line] = std::as_const(grads).data<double>()[n];
  }
  return {result.transpose(along, -1).to(a.dtype())};
}

}  // namespace

Tensor sum(const Tensor& a, std::int64_t axis, bool keepdim) {
  return apply(SumAlong(axis, keepdim), {a});
}

Tensor sum(const Tensor& a) { return apply(SumAll(), {a}); }

Tensor mean(const Tensor& a, std::int64_t axis, bool keepdim) {
  return apply(SumAlong(axis, keepdim, true), {a});
}

Tensor mean(const Tensor& a) { return apply(SumAll(true), {a}); }

Tensor max(const Tensor& a, std::int64_t axis, bool keepdim) {
  return apply(Max(axis, keepdim), {a});
}

}  // namespace foveal
