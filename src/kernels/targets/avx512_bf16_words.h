#pragma once
// AVX-512 with products of bfloat16 pairs (VDPBF16PS): avx512's words, and those of pairs.

#include "kernels/targets/avx512_words.h"

namespace foveal {
namespace {

using PairVector = int32_t __attribute__((vector_size(kRegisterBytes)));
using NarrowVector = uint16_t __attribute__((vector_size(kRegisterBytes / 2)));

/// sum + a's upper number times b's + a's lower times b's, in each lane. Sums are float32;
/// subnormal numbers count as 0.
template <class V>
inline V add_pairs(V sum, PairVector a, PairVector b) {
  return (V)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

/// Rounded to the nearest bfloat16, ties to even; a subnormal gives 0.
template <class V>
inline NarrowVector narrowed(V value) {
  return (NarrowVector)_mm512_cvtneps_pbh((__m512)value);
}

/// The first `count` numbers in memory, less than 32, and zeros: nothing past them is read.
inline PairVector load_numbers(const void* from, int64_t count) {
  return (PairVector)_mm512_maskz_loadu_epi16((uint32_t{1} << count) - 1, from);
}

/// The numbers of a and b by turns: a's first, b's first, ...
inline void mix(PairVector a, PairVector b, PairVector& first, PairVector& second) {
  const auto places = [](int from) {
    using Places = uint16_t __attribute__((vector_size(kRegisterBytes)));
    Places result{};
    for (int n = 0; n < 32; ++n) result[n] = static_cast<uint16_t>(n % 2 * 32 + from + n / 2);
    return (__m512i)result;
  };
  first = (PairVector)_mm512_permutex2var_epi16((__m512i)a, places(0), (__m512i)b);
  second = (PairVector)_mm512_permutex2var_epi16((__m512i)a, places(16), (__m512i)b);
}

}  // namespace
}  // namespace foveal
