#pragma once
// exp and softmax, in float64 and rounded once: the storage's type is that of memory alone.

#include "kernels/simd.h"

namespace foveal {
namespace {

// A vector of float64 for each half of a vector of float32.
using DoubleHalf = float __attribute__((vector_size(kRegisterBytes / 2)));

/// exp(x) as 2^n exp(r), |r| <= ln 2 / 2: n and the rest are exact but for the last rounding.
struct Reduced {
  DoubleVector whole, rest;
};

inline Reduced reduced(DoubleVector x) {
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
  const DoubleVector whole = (x * 1.4426950408889634 + kRound) - kRound;
  // ln 2 in two parts; whole * the first one is exact.
  const DoubleVector rest = (x - whole * 0x1.62e42fee00000p-1) - whole * 0x1.a39ef35793c76p-33;
  return {whole, rest};
}

/// exp(r) for |r| <= ln 2 / 2: Taylor's series, cut where the rest is below 2^-54.
inline DoubleVector exp_series(DoubleVector r) {
  constexpr double kTerms[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                               1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                               1.0 / 120,        1.0 / 24,        1.0 / 6,        0.5};
  DoubleVector p = broadcast(kTerms[0]);
#pragma GCC unroll 16
  for (int n = 1; n < 12; ++n) p = p * r + kTerms[n];
  return 1.0 + (r + r * r * p);
}

/// 2^n for whole n from -1023 (which gives 0) to 1023.
inline DoubleVector power_of_two(DoubleVector n) {
  constexpr double kRound = 6755399441055744.0;
  return (DoubleVector)(((DoubleBits)(n + kRound) << 52) + 0x3ff0000000000000LL);
}

/// exp(x) for x at most 0; below about -709 it is 0. NaN stays NaN.
inline DoubleVector exp_of_difference(DoubleVector x) {
  const Reduced r = reduced(larger(broadcast(-709.0895657128241), x));
  return exp_series(r.rest) * power_of_two(r.whole);
}

/// exp(x) for any x. The power in two steps: results may be subnormal, or infinite.
inline DoubleVector exp_of(DoubleVector x) {
  // The bounds come first: where x is NaN, larger() gives it.
  const DoubleVector bounded = -larger(broadcast(-710.0), -larger(broadcast(-746.0), x));
  const Reduced r = reduced(bounded);
  constexpr double kRound = 6755399441055744.0;
  const DoubleVector half = (r.whole * 0.5 + kRound) - kRound;
  return exp_series(r.rest) * power_of_two(half) * power_of_two(r.whole - half);
}

// Memory of float32 and float64, in registers of float64.
inline DoubleVector load_double(const double* from) { return load(from); }
inline DoubleVector load_double(const float* from) {
  DoubleHalf numbers;
  __builtin_memcpy(&numbers, from, sizeof numbers);
  return in_double<DoubleVector>(numbers);
}

inline void store_double(double* to, DoubleVector value) { store(to, value); }
inline void store_double(float* to, DoubleVector value) {
  const DoubleHalf numbers = __builtin_convertvector(value, DoubleHalf);
  __builtin_memcpy(to, &numbers, sizeof numbers);
}

/// float32 numbers that round to any 16-bit float as `value` itself does, at least 0: where 24 bits
/// don't hold it, the neighbour whose last bit is set.
inline void store_odd(float* to, DoubleVector value) {
  using NarrowBits = int32_t __attribute__((vector_size(kRegisterBytes / 2)));
  const DoubleHalf nearest = __builtin_convertvector(value, DoubleHalf);
  const DoubleVector back = in_double<DoubleVector>(nearest);
  const NarrowBits away = __builtin_convertvector(back > value, NarrowBits);
  const NarrowBits inexact = __builtin_convertvector(back != value, NarrowBits);
  const NarrowBits bits = ((NarrowBits)nearest + away) | (inexact & 1);
  __builtin_memcpy(to, &bits, sizeof bits);
}

/// act(numbers, place, count) for each vector of `from`; the last numbers are in a copy that is as
/// long as a vector.
template <class T, class Act>
inline void for_vectors(const T* from, int64_t count, const Act& act) {
  int64_t i = 0;
  for (; i + kLanes<double> <= count; i += kLanes<double>) act(from + i, i, kLanes<double>);
  if (i == count) return;
  T some[kLanes<double>] = {};
  for (int64_t n = 0; i + n < count; ++n) some[n] = from[i + n];
  act(some, i, count - i);
}

/// The first `count` of a vector's numbers.
template <class T, class Store>
inline void store_first(T* to, int64_t count, DoubleVector value, const Store& put) {
  if (count == kLanes<double>) return put(to, value);
  T some[kLanes<double>];
  put(some, value);
  for (int64_t n = 0; n < count; ++n) to[n] = some[n];
}

/// to[i] = exp(from[i]).
template <class T>
void exponentials(const T* from, int64_t count, T* to) {
  for_vectors(from, count, [&](const T* numbers, int64_t i, int64_t some) {
    store_first(to + i, some, exp_of(load_double(numbers)),
                [](T* place, DoubleVector value) { store_double(place, value); });
  });
}

/// The largest number, NaN left out; minus infinity where there is none.
template <class T>
inline T largest(const T* from, int64_t count) {
  constexpr T kLowest = -__builtin_inf();
  Vector<T> best[4];
  for (Vector<T>& lanes : best) lanes = broadcast(T(0)) + kLowest;
  int64_t i = 0;
  for (; i + 4 * kLanes<T> <= count; i += 4 * kLanes<T>) {
    for (int n = 0; n < 4; ++n) best[n] = larger(load(from + i + n * kLanes<T>), best[n]);
  }
  best[0] = larger(larger(best[0], best[1]), larger(best[2], best[3]));
  T result = kLowest;
  for (int lane = 0; lane < kLanes<T>; ++lane) {
    if (best[0][lane] > result) result = best[0][lane];
  }
  for (; i < count; ++i) {
    if (from[i] > result) result = from[i];
  }
  return result;
}

/// to = exp(from - maximum) / sum, for a line of `count` numbers; `room` takes as many and a vector
/// more. `odd`: numbers to be rounded to 16 bits. Where the maximum is infinite, or a number is
/// NaN, the sum is NaN, and so is the line.
template <class T, bool odd>
void softmax(const T* from, int64_t count, double* room, T* to) {
  const DoubleVector maximum = broadcast(static_cast<double>(largest(from, count)));
  DoubleVector sums{};
  int64_t i = 0;
  for (; i + kLanes<double> <= count; i += kLanes<double>) {
    const DoubleVector value = exp_of_difference(load_double(from + i) - maximum);
    store(room + i, value);
    sums += value;
  }
  double sum = 0;
  for (int lane = 0; lane < kLanes<double>; ++lane) sum += sums[lane];
  if (i < count) {
    T some[kLanes<double>] = {};
    for (int64_t n = 0; i + n < count; ++n) some[n] = from[i + n];
    store(room + i, exp_of_difference(load_double(some) - maximum));
    for (int64_t n = i; n < count; ++n) sum += room[n];
  }
  const double factor = 1 / sum;
  for_vectors(room, count, [&](const double* numbers, int64_t place, int64_t some) {
    store_first(to + place, some, load(numbers) * factor, [](T* at, DoubleVector value) {
      if constexpr (odd) {
        store_odd(at, value);
      } else {
        store_double(at, value);
      }
    });
  });
}

}  // namespace
}  // namespace foveal
