// Comparison, to a bool tensor or to one answer.

#include <cmath>
#include <functional>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/elementwise.h"
#include "tensor/numbers.h"
#include "tensor/visit.h"

namespace foveal {
namespace {

template <class Compare>
Tensor compare(const Tensor& a, const Tensor& b, const char* function, Compare holds) {
  require_defined(a, function, "a");
  require_defined(b, function, "b");
  require_same_dtype(a, "a", b, "b", function);
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), std::string(function) + ": a and b");
  Tensor out = TensorBuilder::empty(shape, DType::boolean);
  visit(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using C = Compute<T>;
    map_numbers<bool, T>(out, a.expand(shape), b.expand(shape),
                         [holds](C left, C right) { return holds(left, right); });
  });
  return out;
}

template <class Compare>
Tensor compare(const Tensor& a, double b, const char* function, Compare holds) {
  require_defined(a, function, "a");
  if (a.dtype() == DType::boolean && b != 0 && b != 1) {
    throw Error(std::string(function) + ": a has dtype bool but the number is " + number_text(b) +
                ": compare a bool with 0 or 1");
  }
  return visit(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Tensor scalar = TensorBuilder::empty({}, a.dtype());
    *scalar.data<T>() = convert_scalar<T>(b, function);
    return compare(a, scalar, function, holds);
  });
}

void require_same_shape(const Tensor& a, const Tensor& b, const char* function) {
  if (a.shape() == b.shape()) return;
  throw Error(std::string(function) + ": a has shape " + to_string(a.shape()) + " but b has " +
              to_string(b.shape()) + ": they must be the same");
}

/// As PyTorch: equal infinities are close, and nothing else is close to an infinity.
bool is_close(double a, double b, double rtol, double atol) {
  if (a == b) return true;
  const double difference = std::abs(a - b);
  return std::isfinite(difference) && difference <= atol + rtol * std::abs(b);
}

}  // namespace

Tensor eq(const Tensor& a, const Tensor& b) { return compare(a, b, "eq", std::equal_to<>()); }
Tensor ne(const Tensor& a, const Tensor& b) { return compare(a, b, "ne", std::not_equal_to<>()); }
Tensor lt(const Tensor& a, const Tensor& b) { return compare(a, b, "lt", std::less<>()); }
Tensor le(const Tensor& a, const Tensor& b) { return compare(a, b, "le", std::less_equal<>()); }
Tensor gt(const Tensor& a, const Tensor& b) { return compare(a, b, "gt", std::greater<>()); }
Tensor ge(const Tensor& a, const Tensor& b) { return compare(a, b, "ge", std::greater_equal<>()); }

Tensor eq(const Tensor& a, double b) { return compare(a, b, "eq", std::equal_to<>()); }
Tensor ne(const Tensor& a, double b) { return compare(a, b, "ne", std::not_equal_to<>()); }
Tensor lt(const Tensor& a, double b) { return compare(a, b, "lt", std::less<>()); }
Tensor le(const Tensor& a, double b) { return compare(a, b, "le", std::less_equal<>()); }
Tensor gt(const Tensor& a, double b) { return compare(a, b, "gt", std::greater<>()); }
Tensor ge(const Tensor& a, double b) { return compare(a, b, "ge", std::greater_equal<>()); }

Tensor logical_not(const Tensor& a) {
  require_defined(a, "logical_not", "a");
  if (a.dtype() != DType::boolean) {
    throw Error("logical_not: a has dtype " + to_string(a.dtype()) +
                ": it must be bool; compare first, or convert with to(bool)");
  }
  Tensor out = TensorBuilder::empty(a.shape(), DType::boolean);
  map<bool, bool>(out, a, [](bool value) { return !value; });
  return out;
}

bool equal(const Tensor& a, const Tensor& b) {
  require_defined(a, "equal", "a");
  require_defined(b, "equal", "b");
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  bool same = true;
  visit(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* const left = a.data<T>();
    const T* const right = b.data<T>();
    for_each_element<2>(a.shape(), {a.strides(), b.strides()}, [&](const auto& at) {
      using C = Compute<T>;
      same = same && static_cast<C>(left[at[0]]) == static_cast<C>(right[at[1]]);
    });
  });
  return same;
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol) {
  require_defined(a, "allclose", "a");
  require_defined(b, "allclose", "b");
  require_same_dtype(a, "a", b, "b", "allclose");
  require_same_shape(a, b, "allclose");
  if (!(rtol >= 0 && atol >= 0)) {
    throw Error("allclose: rtol is " + number_text(rtol) + " and atol is " + number_text(atol) +
                ": both must be 0 or more");
  }
  bool close = true;
  visit(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* const left = a.data<T>();
    const T* const right = b.data<T>();
    for_each_element<2>(a.shape(), {a.strides(), b.strides()}, [&](const auto& at) {
      close = close &&
              is_close(convert<double>(left[at[0]]), convert<double>(right[at[1]]), rtol, atol);
    });
  });
  return close;
}

}  // namespace foveal
