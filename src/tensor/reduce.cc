// Sums and maxima.

#include <cmath>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/lines.h"
#include "tensor/numbers.h"
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

/// NaN wins, as in PyTorch.
template <class T>
bool is_greater(T value, T best) {
  using C = Compute<T>;
  const C number = static_cast<C>(value);
  if constexpr (std::is_floating_point_v<C>) {
    if (std::isnan(number)) return true;
    if (std::isnan(static_cast<C>(best))) return false;
  }
  return number > static_cast<C>(best);
}

/// Out of a reduction along `axis`, with the axis kept at size 1.
Tensor empty_result(const Tensor& a, std::int64_t axis, DType dtype) {
  Shape shape = a.shape();
  shape[axis] = 1;
  return TensorBuilder::empty(shape, dtype);
}

/// Sums along `axis` in Sum, rounded to Out once.
template <class Sum, class Out, class T>
void sum_lines(const Tensor& a, Tensor& out, std::int64_t axis) {
  const T* const from = a.data<T>();
  Out* const to = out.data<Out>();
  const std::int64_t count = a.shape()[axis];
  const std::int64_t step = a.strides()[axis];
  for_each_line(a, out, axis, [&](std::int64_t line, std::int64_t place) {
    Sum total{0};
    for (std::int64_t i = 0; i < count; ++i) {
      total = add(total, static_cast<Sum>(from[line + i * step]));
    }
    to[place] = convert<Out>(total);
  });
}

}  // namespace

Tensor sum(const Tensor& a, std::int64_t axis, bool keepdim) {
  require_defined(a, "sum", "a");
  const std::int64_t along = normalize_axis(axis, a.rank(), "sum");
  // A sum of bools counts them.
  const DType dtype = a.dtype() == DType::boolean ? DType::int64 : a.dtype();
  Tensor out = empty_result(a, along, dtype);
  if (a.dtype() == DType::boolean) {
    sum_lines<std::int64_t, std::int64_t, bool>(a, out, along);
  } else if (a.dtype() == DType::int64) {
    sum_lines<std::int64_t, std::int64_t, std::int64_t>(a, out, along);
  } else {
    visit_floating(dtype, [&](auto zero) {
      using T = decltype(zero);
      sum_lines<double, T, T>(a, out, along);
    });
  }
  return keepdim ? out : out.squeeze(along);
}

Tensor sum(const Tensor& a) {
  require_defined(a, "sum", "a");
  return sum(a.reshape({a.element_count()}), 0);
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
    const T* const from = a.data<T>();
    T* const to = out.data<T>();
    const std::int64_t step = a.strides()[along];
    for_each_line(a, out, along, [&](std::int64_t line, std::int64_t place) {
      T best = from[line];
      for (std::int64_t i = 1; i < count; ++i) {
        const T value = from[line + i * step];
        if (is_greater(value, best)) best = value;
      }
      to[place] = best;
    });
  });
  return keepdim ? out : out.squeeze(along);
}

}  // namespace foveal
