#pragma once
// Vectors of float32 and float64 over the compiler's vector extension. A target's file includes its
// words first (targets/*_words.h): kRegisterBytes, and what the extension has no word for. All of
// it lives in unnamed namespaces: every target keeps its own copy.

#include <stdint.h>

namespace foveal {
namespace {

using FloatVector = float __attribute__((vector_size(kRegisterBytes)));
using DoubleVector = double __attribute__((vector_size(kRegisterBytes)));
using FloatBits = int32_t __attribute__((vector_size(kRegisterBytes)));
using DoubleBits = int64_t __attribute__((vector_size(kRegisterBytes)));

template <class T>
struct Simd;

template <>
struct Simd<float> {
  using Vector = FloatVector;
  using Bits = FloatBits;
  using Bit = int32_t;
};

template <>
struct Simd<double> {
  using Vector = DoubleVector;
  using Bits = DoubleBits;
  using Bit = int64_t;
};

template <class T>
using Vector = typename Simd<T>::Vector;
template <class T>
using Bits = typename Simd<T>::Bits;

template <class T>
constexpr int kLanes = kRegisterBytes / static_cast<int>(sizeof(T));

// Memory needs no alignment beyond an element's: one unaligned move each.
template <class T>
inline Vector<T> load(const T* from) {
  Vector<T> value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
inline void store(T* to, Vector<T> value) {
  __builtin_memcpy(to, &value, sizeof value);
}

template <class T>
inline Vector<T> broadcast(T value) {
  return value - Vector<T>{};
}

template <int... N>
struct LaneList {};

template <int Count, int... N>
struct CountedLanes : CountedLanes<Count - 1, Count - 1, N...> {};
template <int... N>
struct CountedLanes<0, N...> {
  using List = LaneList<N...>;
};

/// fold(values, the same with lanes S apart exchanged), then with S / 2, ...: fewer steps that wait
/// for one another than lane by lane.
template <int S, class V, class Fold, int... N>
inline __attribute__((always_inline)) V folded_lanes(V values, const Fold& fold,
                                                     LaneList<N...> lanes) {
  if constexpr (S > 0) {
    const V moved = __builtin_shufflevector(values, values, (N ^ S)...);
    return folded_lanes<S / 2>(fold(values, moved), fold, lanes);
  } else {
    return values;
  }
}

template <class T>
inline T sum_of_lanes(Vector<T> values) {
  const auto add = [](Vector<T> a, Vector<T> b) { return a + b; };
  return folded_lanes<kLanes<T> / 2>(values, add, typename CountedLanes<kLanes<T>>::List{})[0];
}

/// Of lanes that hold no NaN.
template <class T>
inline T largest_lane(Vector<T> values) {
  const auto top = [](Vector<T> a, Vector<T> b) { return a > b ? a : b; };
  return folded_lanes<kLanes<T> / 2>(values, top, typename CountedLanes<kLanes<T>>::List{})[0];
}

/// 0, 1, 2, ... a lane each.
template <class T>
inline Bits<T> lane_numbers() {
  Bits<T> numbers{};
  for (int lane = 0; lane < kLanes<T>; ++lane) numbers[lane] = lane;
  return numbers;
}

/// All bits of lane n where bit n of `bits` is set.
template <class T>
inline Bits<T> lanes_of(uint64_t bits) {
  const Bits<T> single = (Bits<T>{} + 1) << lane_numbers<T>();
  return ((Bits<T>{} + static_cast<typename Simd<T>::Bit>(bits)) & single) != 0;
}

/// Keeps the compiler from folding a loaded vector into each use as a memory operand.
template <class V>
inline V in_register(V value) {
  asm("" : FOVEAL_VECTOR_REGISTER(value));
  return value;
}

template <class T>
constexpr T kLog2E = T(1.4426950408889634074);

/// 2^f, the highest power first, minimax in the relative error: for f in [0, 1] where what is left
/// over a whole number is one instruction, else for f in [-1/2, 1/2].
constexpr float kExp2Terms[] = {kScalesByPowers ? 1.877576683e-3f : 1.327647199e-3f,
                                kScalesByPowers ? 8.989340142e-3f : 9.675541334e-3f,
                                kScalesByPowers ? 5.582631793e-2f : 5.550713273e-2f,
                                kScalesByPowers ? 2.401536171e-1f : 2.402211972e-1f,
                                kScalesByPowers ? 6.931530732e-1f : 6.931469671e-1f,
                                kScalesByPowers ? 9.999999251e-1f : 1.000000072f};

template <class V>
inline V exp2_polynomial(V f) {
  V p = f * kExp2Terms[0] + kExp2Terms[1];
#pragma GCC unroll 4
  for (int n = 2; n < 6; ++n) p = p * f + kExp2Terms[n];
  return p;
}

/// 2^x for x at most 127. Below -126.5 gives 0, or less than 2^-126; minus infinity gives 0; NaN
/// stays NaN. Relative error below 2^-22.
template <class V>
inline V exp2_of_float(V x) {
  if constexpr (kScalesByPowers) {
    return times_power(exp2_polynomial(above_whole(x)), x);
  } else {
    constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
    const V bounded = larger(V{} - 127.0f, x);
    const V shifted = bounded + kRound;
    const V f = bounded - (shifted - kRound);
    const V scale = (V)(((FloatBits)shifted << 23) + 0x3f800000);
    return exp2_polynomial(f) * scale;  // -127 gives a scale with the bits of 0
  }
}

inline FloatVector exp2(FloatVector x) { return exp2_of_float(x); }

/// The same in float64: x at most 1023, below -1022.5 gives 0. Relative error below 2^-51.
inline DoubleVector exp2(DoubleVector x) {
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
  const DoubleVector bounded = larger(broadcast(-1023.0), x);
  const DoubleVector shifted = bounded + kRound;
  const DoubleVector f = bounded - (shifted - kRound);
  const DoubleVector scale = (DoubleVector)(((DoubleBits)shifted << 52) + 0x3ff0000000000000LL);
  constexpr double kTerms[] = {
      4.4352823985158937628e-10, 7.0741056048289309361e-9, 1.0178198023604885219e-7,
      1.3215433089731971978e-6,  1.5252733489984457611e-5, 1.5403530462514317511e-4,
      1.3333558146789924955e-3,  9.6181291075883353355e-3, 5.5504108664819921597e-2,
      2.4022650695910156204e-1,  6.9314718055994533046e-1, 1.0};
  DoubleVector p = broadcast(kTerms[0]);
  for (int n = 1; n < 12; ++n) p = p * f + kTerms[n];
  return p * scale;
}

/// e^x, as precise as 2^x but for the rounding of x * log2(e).
template <class T>
inline Vector<T> exp(Vector<T> x) {
  return exp2(x * kLog2E<T>);
}

/// e^(x - m). Where a product and a sum are rounded once, `scaled` is m * log2(e); elsewhere the
/// product would lose what tells large x apart.
template <class T>
inline Vector<T> exp_above(Vector<T> x, [[maybe_unused]] Vector<T> m,
                           [[maybe_unused]] Vector<T> scaled) {
  if constexpr (kFusesProducts) {
    return exp2(x * kLog2E<T> - scaled);
  } else {
    return exp<T>(x - m);
  }
}

}  // namespace
}  // namespace foveal
