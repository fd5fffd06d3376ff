#pragma once
// Any compiler with vector extensions, any CPU: registers of 16 bytes.

#include <stdint.h>

#if defined(__aarch64__)
#define FOVEAL_VECTOR_REGISTER "+w"
#elif defined(__x86_64__)
#define FOVEAL_VECTOR_REGISTER "+x"
#else
#define FOVEAL_VECTOR_REGISTER "+m"
#endif

#include "kernels/targets/extension_words.h"

namespace foveal {
namespace {

constexpr int kRegisterBytes = 16;
constexpr int kQueryVectors = 3;
constexpr bool kFusesProducts = false;
constexpr bool kWeighsBetween = false;     // no register is left
constexpr int64_t kKeptBytes = INT64_MAX;  // of a head's K and V, that a cache is taken to hold
constexpr int64_t kValuesAhead = 0;        // rows of V that a decode asks for ahead
constexpr int kWidenedKeysTogether = 1;    // of a decode

/// The larger one; `b` where either is NaN.
template <class V>
inline V larger(V a, V b) {
  return a > b ? a : b;
}

constexpr bool kScalesByPowers = false;
constexpr bool kConvertsFloat16 = false;

/// The products of the lower halves of lanes of 64 bits.
template <class V>
inline V product_of_halves(V a, V b) {
  return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF);
}

/// Whether a bit is set in any lane.
template <class V>
inline bool any(V lanes) {
  using Halves = int64_t __attribute__((vector_size(16)));
  const Halves halves = (Halves)lanes;
  return (halves[0] | halves[1]) != 0;
}

}  // namespace
}  // namespace foveal
