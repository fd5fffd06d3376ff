// Sums and maxima.

#include <algorithm>
#include <vector>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/chunks.h"
#include "tensor/lines.h"
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

/// Out of a reduction along `axis`, with the axis kept at size 1.
Tensor empty_result(const Tensor& a, std::int64_t axis, DType dtype) {
  Shape shape = a.shape();
  shape[axis] = 1;
  return TensorBuilder::empty(shape, dtype);
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

}  // namespace

Tensor sum(const Tensor& a, std::int64_t axis, bool keepdim) {
  require_defined(a, "sum", "a");
  const std::int64_t along = normalize_axis(axis, a.rank(), "sum");
  Tensor out = empty_result(a, along, sum_dtype(a));
  with_sum_types(a.dtype(), [&](auto sum, auto result, auto element) {
    sum_lines<decltype(sum), decltype(result), decltype(element)>(a, out, along);
  });
  return keepdim ? out : out.squeeze(along);
}

Tensor sum(const Tensor& a) {
  require_defined(a, "sum", "a");
  Tensor out = TensorBuilder::empty({}, sum_dtype(a));
  const Tensor elements = a.reshape({a.element_count()});
  with_sum_types(a.dtype(), [&](auto sum, auto result, auto element) {
    sum_vector<decltype(sum), decltype(result), decltype(element)>(elements, out);
  });
  return out;
}

Tensor max(const Tensor& a, std::int64_t axis, bool keepdim) {
  require_defined(a, "max", "a");
  const std::int64_t along = normalize_axis(axis, a.rank(), "max");
  const std::int64_t count = a.shape()[along];
  if (count == 0) {
    throw Error("max: a has shape " + to_string(a.shape()) + ": axis " + std::to_string(along) +
                " is empty, and no number is its maximum");
  }
  Tensor out = empty_result(a, along, a.dtype());
  visit(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    reduce_lines<Largest<Compute<T>>, T, T>(a, out, along);
  });
  return keepdim ? out : out.squeeze(along);
}

}  // namespace foveal
