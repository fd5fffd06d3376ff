#pragma once
// What is done to scores besides scaling, a lane a query.

#include "kernels/forward_task.h"
#include "kernels/simd.h"

namespace foveal {
namespace {

template <class T>
constexpr T kLog2E = T(1.4426950408889634074);
constexpr double kLn2 = 0.69314718055994530942;

/// tanh(x) = 1 - 2 / (e^2x + 1), and near 0, where that loses digits, its continued fraction.
template <class T>
inline Vector<T> hyperbolic_tangent(Vector<T> x) {
  const Vector<T> low = broadcast(T(-25)), high = broadcast(T(25));
  const Vector<T> bounded = larger(low, x > high ? high : x);
  const Vector<T> far = 1 - 2 / (exp2(bounded * (2 * kLog2E<T>)) + 1);
  const Vector<T> square = x * x;
  Vector<T> fraction = broadcast(T(17));
  for (int odd = 15; odd >= 1; odd -= 2) fraction = T(odd) + square / fraction;
  const Vector<T> magnitude = x < 0 ? -x : x;
  return magnitude < T(0.5) ? x / fraction : far;
}

/// |i' - j| of the tile's queries from `lane` on.
template <class T>
inline Vector<T> distance(const ForwardTask<T>& task, int lane, int64_t j) {
  using Bit = typename Simd<T>::Bit;
  const Bits<T> difference =
      lane_numbers<T>() + static_cast<Bit>(task.first_query + lane + task.offset - j);
  return __builtin_convertvector(difference < 0 ? -difference : difference, Vector<T>);
}

/// The bias of key j for the tile's queries from `lane` on; 0 past the last query.
template <class T>
inline Vector<T> bias_of(const ForwardTask<T>& task, int lane, int64_t j) {
  Vector<T> bias{};
  const T* column = task.bias + j * task.bias_key_stride;
  for (int n = 0; n < kLanes<T> && lane + n < task.query_count; ++n) {
    bias[n] = column[(lane + n) * task.bias_query_stride];
  }
  return bias;
}

}  // namespace
}  // namespace foveal
