#pragma once
// Words that the compiler's vector extension has, for targets on which it makes one instruction of
// each. Others have their own of the same names.

namespace foveal {
namespace {

/// float32 numbers as float64.
template <class Wide, class Half>
inline Wide in_double(Half numbers) {
  return __builtin_convertvector(numbers, Wide);
}

/// Numbers of 16 bits as 32.
template <class Wide, class Short>
inline Wide zero_extended(Short bits) {
  return __builtin_convertvector(bits, Wide);
}

}  // namespace
}  // namespace foveal
