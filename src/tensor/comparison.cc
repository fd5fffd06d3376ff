// Comparison, to a bool tensor or to one answer.

#include <atomic>
#include <cmath>
#include <functional>
#include <limits>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/chunks.h"
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
    *TensorBuilder::written<T>(scalar) = convert_scalar<T>(b, function);
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
  const double difference = std::abs(a - b);
  const bool finite = difference <= std::numeric_limits<double>::max();
  return (a == b) | (finite & (difference <= atol + rtol * std::abs(b)));
}

/// Whether holds(a, b) at each place, in the type that operations compute in. Stops early.
template <class Holds>
bool all_hold(const Tensor& a, const Tensor& b, Holds holds) {
  std::atomic<bool> all{true};
  visit(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* const a_data = a.data<T>();
    const T* const b_data = b.data<T>();
    const Reader<T> reader;
    for_runs<2>(a.shape(), {a.strides(), b.strides()}, [&](const Run<2>& run) {
      alignas(64) Compute<T> left_room[kChunk], right_room[kChunk];
      const auto [left_step, right_step] = run.steps;
      for (std::int64_t done = 0; done < run.count && all; done += kChunk) {
        const std::int64_t count = std::min(kChunk, run.count - done);
        const T* const from_a = a_data + run.starts[0] + done * left_step;
        const T* const from_b = b_data + run.starts[1] + done * right_step;
        const Compute<T>* const left = reader.read(from_a, left_step, count, left_room);
        const Compute<T>* const right = reader.read(from_b, right_step, count, right_room);
        std::int64_t kept = 0;
        for (std::int64_t i = 0; i < count; ++i) kept += holds(left[i], right[i]) ? 1 : 0;
        if (kept != count) all = false;
      }
    });
  });
  return all;
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
  return all_hold(a, b, std::equal_to<>());
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
  return all_hold(a, b, [=](auto left, auto right) {
    return is_close(static_cast<double>(left), static_cast<double>(right), rtol, atol);
  });
}

}  // namespace foveal
