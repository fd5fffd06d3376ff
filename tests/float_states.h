#pragma once
// Ways of float arithmetic that a caller may have chosen.

#include <cfenv>
#include <string>

#include <gtest/gtest.h>

#include "core/float_state.h"

namespace foveal {

#if defined(__x86_64__)
constexpr FloatState kFlags = 0x3F;      // what has happened so far
constexpr FloatState kFlushes = 0x8040;  // subnormal results and inputs count as 0
#elif defined(__aarch64__)
constexpr FloatState kFlags = 0;           // FPSR has them
constexpr FloatState kFlushes = 1U << 24;  // the same
#else
constexpr FloatState kFlags = 0, kFlushes = 0;
#endif

inline FloatState control_of(FloatState state) { return state & ~kFlags; }

/// Runs `test` with each rounding, subnormals kept and flushed.
template <class Test>
void for_each_float_state(const Test& test) {
  std::fenv_t before;
  std::fegetenv(&before);
  for (const int rounding : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    for (const FloatState flushes : {FloatState{0}, kFlushes}) {
      SCOPED_TRACE("rounding " + std::to_string(rounding) + (flushes == 0 ? "" : ", flushing"));
      std::fesetround(rounding);
      set_float_state(float_state() | flushes);
      test();
      std::fesetenv(&before);
    }
  }
}

}  // namespace foveal
