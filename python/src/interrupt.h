#pragma once
// Ctrl-C during a call.

#include <nanobind/nanobind.h>

#include <chrono>

#include "core/call_scope.h"
#include "foveal/attention.h"

namespace foveal::python {

/// Lets a call ask Python every 50 ms whether a signal's handler has raised, which ends the call.
/// To ask takes the GIL: calls that are over before never do.
class Interrupt {
 public:
  /// What a call asks that has no options.
  static StopQuestion question() { return &raised; }
  /// Of options whose calls begin with begin_call, on their thread.
  static void put_into(AttentionOptions& options) { options.stop = &raised; }
  static void begin_call() { next_ = Clock::now() + kBetween; }

 private:
  using Clock = std::chrono::steady_clock;

  static bool raised(void*) {
    const Clock::time_point now = Clock::now();
    if (now < next_) return false;
    next_ = now + kBetween;
    const nanobind::gil_scoped_acquire held;
    return PyErr_CheckSignals() != 0;  // the exception stays set: it is what the caller sees
  }

  static constexpr std::chrono::milliseconds kBetween{50};
  static inline thread_local Clock::time_point next_{};
};

}  // namespace foveal::python
