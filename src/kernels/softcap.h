#pragma once
// The softcap c * tanh(S / c), and its derivative.

#include "kernels/simd.h"

namespace foveal {
namespace {

/// A score after the softcap c, and the derivative there.
template <class T>
struct Capped {
  Vector<T> score, slope;
};

/// The softcap c of many scores.
template <class T>
class Softcap;

/// float32: S times an approximation of tanh(x) / x, so that a cap far above S leaves it as it is:
/// a quotient of polynomials in x^2, both 1 at 0, minimax in the relative error (2^-25.4) up to the
/// x where float32's tanh is 1.
template <>
class Softcap<float> {
 public:
  explicit Softcap(float cap) : inverse_(1 / cap) {
    constexpr float kMost = 0x1.fffffep127F;
    const float bound = cap * kSaturated;
    bound_ = bound > kMost ? kMost : bound;
  }

  inline __attribute__((always_inline)) Capped<float> operator()(FloatVector score) const {
    const FloatVector above = larger(broadcast(-bound_), score);
    const FloatVector bounded = above > bound_ ? broadcast(bound_) : above;
    const FloatVector x = bounded * inverse_, square = x * x;
    const FloatVector ratio = polynomial(kUpper, square) / polynomial(kLower, square);
    const FloatVector tangent = x * ratio;
    return {bounded * ratio, 1 - tangent * tangent};
  }

 private:
  static constexpr float kSaturated = 9.0109F;
  static constexpr float kUpper[] = {1.33888454e-8F, 2.06390868e-5F, 3.497656e-3F, 1.33828545e-1F,
                                     1};
  static constexpr float kLower[] = {7.79210506e-7F, 3.28884153e-4F, 2.58851152e-2F, 4.67161758e-1F,
                                     1};

  static inline __attribute__((always_inline)) FloatVector polynomial(const float (&terms)[5],
                                                                      FloatVector square) {
    FloatVector sum = square * terms[0] + terms[1];
#pragma GCC unroll 4
    for (int n = 2; n < 5; ++n) sum = sum * square + terms[n];
    return sum;
  }

  float inverse_, bound_;
};

/// float64: 1 - 2 / (e^2x + 1), and near 0, where that loses digits, tanh's continued fraction,
/// which divides S itself.
template <>
class Softcap<double> {
 public:
  explicit Softcap(double cap) : cap_(cap) {}

  Capped<double> operator()(DoubleVector score) const {
    const DoubleVector x = score / cap_;
    const DoubleVector low = broadcast(-25.0), high = broadcast(25.0);
    const DoubleVector bounded = larger(low, x > high ? high : x);
    const DoubleVector far = 1 - 2 / (exp<double>(2 * bounded) + 1);
    const DoubleVector square = x * x;
    DoubleVector fraction = broadcast(17.0);
    for (int odd = 15; odd >= 1; odd -= 2) fraction = odd + square / fraction;
    const DoubleVector magnitude = x < 0 ? -x : x;
    const DoubleBits near = magnitude < 0.5;
    const DoubleVector tangent = near ? x / fraction : far;
    return {near ? score / fraction : far * cap_, 1 - tangent * tangent};
  }

 private:
  double cap_;
};

}  // namespace
}  // namespace foveal
