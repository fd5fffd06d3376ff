// + - * /, minus, abs.

#include <cmath>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/elementwise.h"

namespace foveal {
namespace {

// Each operation on the type that it computes in, and on int64, where an overflow throws.

[[noreturn]] void throw_overflow(const char* function) {
  throw Error(std::string(function) +
              ": a result is outside int64: convert the tensors with to(float64)");
}

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return a + b;
  }
  std::int64_t operator()(std::int64_t a, std::int64_t b) const {
    std::int64_t result = 0;
    if (__builtin_add_overflow(a, b, &result)) throw_overflow("add");
    return result;
  }
};

struct Subtract {
  template <class T>
  T operator()(T a, T b) const {
    return a - b;
  }
  std::int64_t operator()(std::int64_t a, std::int64_t b) const {
    std::int64_t result = 0;
    if (__builtin_sub_overflow(a, b, &result)) throw_overflow("subtract");
    return result;
  }
};

struct Multiply {
  template <class T>
  T operator()(T a, T b) const {
    return a * b;
  }
  std::int64_t operator()(std::int64_t a, std::int64_t b) const {
    std::int64_t result = 0;
    if (__builtin_mul_overflow(a, b, &result)) throw_overflow("multiply");
    return result;
  }
};

struct Divide {
  template <class T>
  T operator()(T a, T b) const {
    return a / b;
  }
};

struct Negate {
  template <class T>
  T operator()(T a) const {
    return -a;
  }
  std::int64_t operator()(std::int64_t a) const {
    if (a == INT64_MIN) throw_overflow("negate");
    return -a;
  }
};

struct Absolute {
  template <class T>
  T operator()(T a) const {
    return std::abs(a);
  }
  std::int64_t operator()(std::int64_t a) const {
    if (a == INT64_MIN) throw_overflow("abs");
    return a < 0 ? -a : a;
  }
};

// With int64.
template <class Function>
constexpr Loops kNumbersOfOne = {map_one<float, Function>, map_one<double, Function>,
                                 map_one<std::int64_t, Function>};
template <class Function>
constexpr Loops kNumbersOfTwo = {map_two<float, Function>, map_two<double, Function>,
                                 map_two<std::int64_t, Function>};

constexpr ElementwiseEntry kAdd = {
    "add",          2,
    Takes::numbers, kNumbersOfTwo<Add>,
    false,          [](const Recorded& call) { return Tensors{call.grad, call.grad}; }};

constexpr ElementwiseEntry kSubtract = {
    "subtract", 2, Takes::numbers, kNumbersOfTwo<Subtract>, false, [](const Recorded& call) {
      return Tensors{call.grad, holds(call.wanted, 1) ? -call.grad : Tensor()};
    }};

constexpr ElementwiseEntry kMultiply = {
    "multiply",
    2,
    Takes::numbers,
    kNumbersOfTwo<Multiply>,
    false,
    [](const Recorded& call) {
      return Tensors{holds(call.wanted, 0) ? call.grad * call.inputs[1] : Tensor(),
                     holds(call.wanted, 1) ? call.grad * call.inputs[0] : Tensor()};
    },
    [](InputSet wanted) {
      return Saves{(holds(wanted, 0) ? InputSet{2} : 0) | (holds(wanted, 1) ? InputSet{1} : 0)};
    }};

constexpr ElementwiseEntry kDivide = {
    "divide",
    2,
    Takes::floating,
    kOfTwo<Divide>,
    false,
    [](const Recorded& call) {
      const Tensor of_a = call.grad / call.inputs[1];
      return Tensors{
          of_a, holds(call.wanted, 1) ? -(of_a * (call.inputs[0] / call.inputs[1])) : Tensor()};
    },
    [](InputSet wanted) { return Saves{holds(wanted, 1) ? InputSet{3} : InputSet{2}}; }};

constexpr ElementwiseEntry kNegate = {
    "negate",       1,
    Takes::numbers, kNumbersOfOne<Negate>,
    false,          [](const Recorded& call) { return Tensors{-call.grad}; }};

/// -1, 0 or 1; 0 for NaN.
Tensor sign(const Tensor& a) { return gt(a, 0.0).to(a.dtype()) - lt(a, 0.0).to(a.dtype()); }

constexpr ElementwiseEntry kAbs = {
    "abs",
    1,
    Takes::numbers,
    kNumbersOfOne<Absolute>,
    false,
    [](const Recorded& call) { return Tensors{call.grad * sign(call.inputs[0])}; },
    [](InputSet) { return Saves{1}; }};

}  // namespace

void add_to(Tensor& sum, const Tensor& a) {
  const std::array<Tensor, 2> both = {sum, a};
  Elementwise(kAdd).compute(both, sum);
}

Tensor operator+(const Tensor& a, const Tensor& b) { return apply(Elementwise(kAdd), {a, b}); }
Tensor operator-(const Tensor& a, const Tensor& b) { return apply(Elementwise(kSubtract), {a, b}); }
Tensor operator*(const Tensor& a, const Tensor& b) { return apply(Elementwise(kMultiply), {a, b}); }
Tensor operator/(const Tensor& a, const Tensor& b) { return apply(Elementwise(kDivide), {a, b}); }

Tensor operator+(const Tensor& a, double b) { return apply(Elementwise(kAdd, b, 1), {a}); }
Tensor operator-(const Tensor& a, double b) { return apply(Elementwise(kSubtract, b, 1), {a}); }
Tensor operator*(const Tensor& a, double b) { return apply(Elementwise(kMultiply, b, 1), {a}); }
Tensor operator/(const Tensor& a, double b) { return apply(Elementwise(kDivide, b, 1), {a}); }

Tensor operator+(double a, const Tensor& b) { return apply(Elementwise(kAdd, a, 0), {b}); }
Tensor operator-(double a, const Tensor& b) { return apply(Elementwise(kSubtract, a, 0), {b}); }
Tensor operator*(double a, const Tensor& b) { return apply(Elementwise(kMultiply, a, 0), {b}); }
Tensor operator/(double a, const Tensor& b) { return apply(Elementwise(kDivide, a, 0), {b}); }

Tensor operator-(const Tensor& a) { return apply(Elementwise(kNegate), {a}); }
Tensor abs(const Tensor& a) { return apply(Elementwise(kAbs), {a}); }

}  // namespace foveal
