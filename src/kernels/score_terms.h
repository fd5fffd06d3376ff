#pragma once
// What is done to scores besides scaling, a lane a query.

#include "kernels/forward_task.h"
#include "kernels/simd.h"

namespace foveal {
namespace {

/// A score after the softcap c, and the derivative there.
template <class T>
struct Capped {
  Vector<T> score, slope;
};

/// c * tanh(S / c): 1 - 2 / (e^2x + 1), and near 0, where that loses digits, tanh's continued
/// fraction, which divides S itself: a cap far above S leaves it as it is.
template <class T>
inline Capped<T> capped(Vector<T> score, T cap) {
  const Vector<T> x = score / cap;
  const Vector<T> low = broadcast(T(-25)), high = broadcast(T(25));
  const Vector<T> bounded = larger(low, x > high ? high : x);
  const Vector<T> far = 1 - 2 / (exp<T>(2 * bounded) + 1);
  const Vector<T> square = x * x;
  Vector<T> fraction = broadcast(T(17));
  for (int odd = 15; odd >= 1; odd -= 2) fraction = T(odd) + square / fraction;
  const Vector<T> magnitude = x < 0 ? -x : x;
  const Bits<T> near = magnitude < T(0.5);
  const Vector<T> tangent = near ? x / fraction : far;
  return {near ? score / fraction : far * cap, 1 - tangent * tangent};
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

/// From Q K^T, not scaled, to scores of key j for the tile's queries from `lane` on: scale,
/// softcap, bias and ALiBi, rounded after each. `slope` becomes the softcap's derivative where
/// there is one.
template <class T>
inline Vector<T> with_terms(const ForwardTask<T>& task, Vector<T> product, int lane, int64_t j,
                            Vector<T>& slope) {
  Vector<T> score = in_register(product * task.scale);
  if (task.softcap > 0) {
    const Capped<T> cap = capped<T>(score, task.softcap);
    score = in_register(cap.score);
    slope = cap.slope;
  }
  if (task.bias != nullptr) score = in_register(score + bias_of(task, lane, j));
  if (task.alibi_slope != 0) score -= distance(task, lane, j) * task.alibi_slope;
  return score;
}

}  // namespace
}  // namespace foveal
