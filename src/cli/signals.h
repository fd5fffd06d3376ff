#pragma once
// Ctrl-C, hang-up and termination.

namespace foveal::cli {

/// From here on each of the three, unless it was ignored, ends the process at once, on whichever
/// thread it arrives, but for the time when it is held back. `first` is called before that, in the
/// handler: what it does must be allowed there.
void end_on_signals(void (*first)() noexcept = nullptr);

/// Holds them back for all threads; what came meanwhile ends the process when this goes. One at a
/// time.
class SignalsHeld {
 public:
  SignalsHeld();
  ~SignalsHeld();
  /// Whether one came: what attention's `stop` asks, so that a long call ends at once.
  static bool came(void* user);
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
};

}  // namespace foveal::cli
