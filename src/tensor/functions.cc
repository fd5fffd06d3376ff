// exp, log, sqrt, pow, tanh, relu, gelu.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "foveal/operations.h"
#include "kernels/targets/registry.h"
#include "tensor/elementwise.h"

namespace foveal {
namespace {

/// The target's, in float64 inside.
template <class T>
void exp_loop(const Chunk& chunk) {
  const Target& target = find_target("");
  const auto kernel = [&target] {
    if constexpr (sizeof(T) == 8) return target.exponentials_float64.exp;
    if constexpr (sizeof(T) == 4) return target.exponentials_float32.exp;
  }();
  const std::int64_t count = chunk.repeated[0] ? 1 : chunk.count;
  T* const to = static_cast<T*>(chunk.to);
  kernel(static_cast<const T*>(chunk.from[0]), count, to);
  if (chunk.repeated[0]) std::fill_n(to, chunk.count, *to);
}

constexpr auto kSavesInput = [](InputSet) { return Saves{1}; };
constexpr auto kSavesOutput = [](InputSet) { return Saves{0, true}; };

constexpr ElementwiseEntry kExp = {
    "exp",           1,
    Takes::floating, {exp_loop<float>, exp_loop<double>},
    false,           [](const Recorded& call) { return Tensors{call.grad * call.output}; },
    kSavesOutput};

struct Log {
  template <class T>
  T operator()(T a) const {
    return std::log(a);
  }
};

constexpr ElementwiseEntry kLog = {
    "log",       1,     Takes::floating,
    kOfOne<Log>, false, [](const Recorded& call) { return Tensors{call.grad / call.inputs[0]}; },
    kSavesInput};

struct SquareRoot {
  template <class T>
  T operator()(T a) const {
    return std::sqrt(a);
  }
};

constexpr ElementwiseEntry kSqrt = {
    "sqrt",          1,
    Takes::floating, kOfOne<SquareRoot>,
    false,           [](const Recorded& call) { return Tensors{call.grad / (call.output * 2.0)}; },
    kSavesOutput};

struct Tanh {
  template <class T>
  T operator()(T a) const {
    return std::tanh(a);
  }
};

constexpr ElementwiseEntry kTanh = {
    "tanh",
    1,
    Takes::floating,
    kOfOne<Tanh>,
    false,
    [](const Recorded& call) { return Tensors{call.grad * (1.0 - call.output * call.output)}; },
    kSavesOutput};

struct Power {
  template <class T>
  T operator()(T a, T exponent) const {
    if (exponent == T{1}) return a;
    if (exponent == T{2}) return a * a;
    // Of -infinity NaN, as in PyTorch, where pow has infinity and 0.
    if (exponent == T(0.5)) return std::sqrt(a);
    if (exponent == T(-0.5)) return T{1} / std::sqrt(a);
    return std::pow(a, exponent);
  }
};

/// By a number alone: the exponent has no gradient. At exponent 0 that of a is 0, at a = 0 too.
Tensors power_gradient(const Recorded& call) {
  const double exponent = call.inputs[1].item();
  if (exponent == 0) return {Tensor(), Tensor()};
  return {call.grad * (pow(call.inputs[0], exponent - 1) * exponent), Tensor()};
}

constexpr ElementwiseEntry kPow = {
    "pow", 2, Takes::floating, kOfTwo<Power>, false, power_gradient, kSavesInput};

struct Positive {
  /// NaN stays NaN, as in PyTorch.
  template <class T>
  T operator()(T a) const {
    return a < T{0} ? T{0} : a;
  }
};

struct WherePositive {
  /// Where NaN went through, so does its gradient.
  template <class T>
  T operator()(T grad, T a) const {
    return a <= T{0} ? T{0} : grad;
  }
};

constexpr ElementwiseEntry kReluGradient = {"relu's gradient", 2, Takes::floating,
                                            kOfTwo<WherePositive>};

constexpr ElementwiseEntry kRelu = {
    "relu",
    1,
    Takes::floating,
    kOfOne<Positive>,
    false,
    [](const Recorded& call) {
      return Tensors{apply(Elementwise(kReluGradient), {call.grad, call.output})};
    },
    kSavesOutput};

// a times the chance that a normal number is below a.
struct ExactGelu {
  template <class T>
  T operator()(T a) const {
    return T(0.5) * a * (T(1) + std::erf(a * static_cast<T>(std::numbers::sqrt2 / 2)));
  }
};

struct ExactGeluGradient {
  template <class T>
  T operator()(T grad, T a) const {
    constexpr double kDensity = 0.5 * std::numbers::inv_sqrtpi * std::numbers::sqrt2;
    const T below = T(0.5) * (T(1) + std::erf(a * static_cast<T>(std::numbers::sqrt2 / 2)));
    return grad * (below + a * static_cast<T>(kDensity) * std::exp(T(-0.5) * a * a));
  }
};

// sqrt(2 / pi), and the factor of a^3, of the form with tanh (Hendrycks and Gimpel, 2016).
constexpr double kTanhScale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
constexpr double kTanhCubic = 0.044715;

struct TanhGelu {
  template <class T>
  T operator()(T a) const {
    const T inner = static_cast<T>(kTanhScale) * (a + static_cast<T>(kTanhCubic) * a * a * a);
    return T(0.5) * a * (T(1) + std::tanh(inner));
  }
};

struct TanhGeluGradient {
  template <class T>
  T operator()(T grad, T a) const {
    const T inner = static_cast<T>(kTanhScale) * (a + static_cast<T>(kTanhCubic) * a * a * a);
    const T slope = static_cast<T>(kTanhScale) * (T(1) + static_cast<T>(3 * kTanhCubic) * a * a);
    const T curve = std::tanh(inner);
    return grad * T(0.5) * (T(1) + curve + a * (T(1) - curve * curve) * slope);
  }
};

constexpr ElementwiseEntry kExactGeluGradient = {"gelu's gradient", 2, Takes::floating,
                                                 kOfTwo<ExactGeluGradient>};
constexpr ElementwiseEntry kTanhGeluGradient = {"gelu's gradient", 2, Takes::floating,
                                                kOfTwo<TanhGeluGradient>};

constexpr ElementwiseEntry kExactGelu = {
    "gelu",
    1,
    Takes::floating,
    kOfOne<ExactGelu>,
    false,
    [](const Recorded& call) {
      return Tensors{apply(Elementwise(kExactGeluGradient), {call.grad, call.inputs[0]})};
    },
    kSavesInput};

constexpr ElementwiseEntry kTanhGelu = {
    "gelu",
    1,
    Takes::floating,
    kOfOne<TanhGelu>,
    false,
    [](const Recorded& call) {
      return Tensors{apply(Elementwise(kTanhGeluGradient), {call.grad, call.inputs[0]})};
    },
    kSavesInput};

}  // namespace

Tensor exp(const Tensor& a) { return apply(Elementwise(kExp), {a}); }
Tensor log(const Tensor& a) { return apply(Elementwise(kLog), {a}); }
Tensor sqrt(const Tensor& a) { return apply(Elementwise(kSqrt), {a}); }
Tensor pow(const Tensor& a, double exponent) { return apply(Elementwise(kPow, exponent, 1), {a}); }
Tensor tanh(const Tensor& a) { return apply(Elementwise(kTanh), {a}); }
Tensor relu(const Tensor& a) { return apply(Elementwise(kRelu), {a}); }
Tensor gelu(const Tensor& a, GeluForm form) {
  return apply(Elementwise(form == GeluForm::tanh ? kTanhGelu : kExactGelu), {a});
}

}  // namespace foveal
