// + - * /, minus, exp, abs.

#include <cmath>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/elementwise.h"
#include "tensor/numbers.h"
#include "tensor/visit.h"

namespace foveal {
namespace {

// Each operation on the type that it computes in, and on int64, where an overflow throws.

[[noreturn]] void throw_overflow(const char* function) {
  throw Error(std::string(function) +
              ": a result is outside int64: convert the tensors with to(float64)");
}

struct Add {
  static constexpr const char* name = "add";
  template <class T>
  static T apply(T a, T b) {
    return a + b;
  }
  static std::int64_t apply(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    if (__builtin_add_overflow(a, b, &result)) throw_overflow(name);
    return result;
  }
};

struct Subtract {
  static constexpr const char* name = "subtract";
  template <class T>
  static T apply(T a, T b) {
    return a - b;
  }
  static std::int64_t apply(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    if (__builtin_sub_overflow(a, b, &result)) throw_overflow(name);
    return result;
  }
};

struct Multiply {
  static constexpr const char* name = "multiply";
  template <class T>
  static T apply(T a, T b) {
    return a * b;
  }
  static std::int64_t apply(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    if (__builtin_mul_overflow(a, b, &result)) throw_overflow(name);
    return result;
  }
};

struct Divide {
  static constexpr const char* name = "divide";
  template <class T>
  static T apply(T a, T b) {
    return a / b;
  }
};

void require_number(const Tensor& tensor, const char* function, const char* argument) {
  if (tensor.dtype() != DType::boolean) return;
  throw Error(
      std::string(function) + ": " + argument +
      " has dtype bool: arithmetic needs numbers; convert it with to(int64) or to(float32)");
}

/// The same as `number`, of the tensor's dtype: a scalar tensor, to be broadcast.
template <class Operation>
Tensor scalar_like(const Tensor& tensor, const char* argument, double number) {
  require_defined(tensor, Operation::name, argument);
  require_number(tensor, Operation::name, argument);
  return visit(tensor.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Tensor scalar = TensorBuilder::empty({}, tensor.dtype());
    *TensorBuilder::written<T>(scalar) = convert_scalar<T>(number, Operation::name);
    return scalar;
  });
}

template <class Operation, class T>
void apply_to_all(Tensor& out, const Tensor& a, const Tensor& b) {
  using C = Compute<T>;
  map_numbers<T, T>(out, a, b, [](C left, C right) { return Operation::apply(left, right); });
}

template <class Operation>
Tensor binary(const Tensor& a, const Tensor& b) {
  require_defined(a, Operation::name, "a");
  require_defined(b, Operation::name, "b");
  require_same_dtype(a, "a", b, "b", Operation::name);
  require_number(a, Operation::name, "a");
  const Shape shape =
      broadcast_shapes(a.shape(), b.shape(), std::string(Operation::name) + ": a and b");
  Tensor out = TensorBuilder::empty(shape, a.dtype());
  const Tensor left = a.expand(shape);
  const Tensor right = b.expand(shape);
  if (a.dtype() == DType::int64) {
    if constexpr (std::is_same_v<Operation, Divide>) {
      throw Error(
          "divide: a and b have dtype int64: a quotient is a fraction; convert them with "
          "to(float32)");
    } else {
      apply_to_all<Operation, std::int64_t>(out, left, right);
    }
  } else {
    visit_floating(a.dtype(),
                   [&](auto zero) { apply_to_all<Operation, decltype(zero)>(out, left, right); });
  }
  return out;
}

/// function(a) at each place.
template <class Function>
Tensor map_floating(const Tensor& a, Function function) {
  Tensor out = TensorBuilder::empty(a.shape(), a.dtype());
  visit_floating(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    map_numbers<T, T>(out, a, [function](Compute<T> value) { return function(value); });
  });
  return out;
}

/// The target's, in float64 inside.
template <class T>
auto exp_kernel() {
  const Target& target = find_target("");
  if constexpr (sizeof(T) == 8) return target.exponentials_float64.exp;
  if constexpr (sizeof(T) == 4) return target.exponentials_float32.exp;
}

/// function(a) at each place, int64.
template <class Function>
Tensor map_int64(const Tensor& a, Function function) {
  Tensor out = TensorBuilder::empty(a.shape(), a.dtype());
  map<std::int64_t, std::int64_t>(out, a, function);
  return out;
}

}  // namespace

Tensor operator+(const Tensor& a, const Tensor& b) { return binary<Add>(a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return binary<Subtract>(a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return binary<Multiply>(a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return binary<Divide>(a, b); }

Tensor operator+(const Tensor& a, double b) { return a + scalar_like<Add>(a, "a", b); }
Tensor operator-(const Tensor& a, double b) { return a - scalar_like<Subtract>(a, "a", b); }
Tensor operator*(const Tensor& a, double b) { return a * scalar_like<Multiply>(a, "a", b); }
Tensor operator/(const Tensor& a, double b) { return a / scalar_like<Divide>(a, "a", b); }

Tensor operator+(double a, const Tensor& b) { return scalar_like<Add>(b, "b", a) + b; }
Tensor operator-(double a, const Tensor& b) { return scalar_like<Subtract>(b, "b", a) - b; }
Tensor operator*(double a, const Tensor& b) { return scalar_like<Multiply>(b, "b", a) * b; }
Tensor operator/(double a, const Tensor& b) { return scalar_like<Divide>(b, "b", a) / b; }

Tensor operator-(const Tensor& a) {
  require_defined(a, "negate", "a");
  require_number(a, "negate", "a");
  if (a.dtype() == DType::int64) {
    return map_int64(a, [](std::int64_t value) {
      return value == INT64_MIN ? (throw_overflow("negate"), value) : -value;
    });
  }
  return map_floating(a, [](auto value) { return -value; });
}

Tensor exp(const Tensor& a) {
  require_defined(a, "exp", "a");
  require_floating(a, "exp", "a");
  Tensor out = TensorBuilder::empty(a.shape(), a.dtype());
  visit_floating(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    map_chunks<T, T>(out, a, exp_kernel<Compute<T>>());
  });
  return out;
}

Tensor abs(const Tensor& a) {
  require_defined(a, "abs", "a");
  require_number(a, "abs", "a");
  if (a.dtype() == DType::int64) {
    return map_int64(a, [](std::int64_t value) {
      if (value == INT64_MIN) throw_overflow("abs");
      return value < 0 ? -value : value;
    });
  }
  return map_floating(a, [](auto value) { return std::abs(value); });
}

}  // namespace foveal
