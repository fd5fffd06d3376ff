#pragma once
// How this thread's arithmetic rounds, and what becomes of subnormal numbers: MXCSR, FPCR.

#include <cstdint>

namespace foveal {

#if defined(__x86_64__)

using FloatState = std::uint32_t;
inline FloatState float_state() { return __builtin_ia32_stmxcsr(); }
inline void set_float_state(FloatState state) { __builtin_ia32_ldmxcsr(state); }

#elif defined(__aarch64__)

using FloatState = std::uint64_t;
inline FloatState float_state() {
  FloatState state = 0;
  asm volatile("mrs %0, fpcr" : "=r"(state));
  return state;
}
inline void set_float_state(FloatState state) { asm volatile("msr fpcr, %0" : : "r"(state)); }

#else

using FloatState = std::uint32_t;
inline FloatState float_state() { return 0; }
inline void set_float_state(FloatState) {}

#endif

}  // namespace foveal
