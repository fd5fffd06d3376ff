#pragma once
// What a thread is like while it runs tasks.

#include "core/float_state.h"
#include "core/thread_memory.h"

namespace foveal {

/// While it lives, this thread's calls run inline, and its arithmetic is that of `state`: the
/// caller's, so that all tasks of a call are computed alike.
class TaskScope {
 public:
  explicit TaskScope(FloatState state) : inside_before_(inside_), state_before_(float_state()) {
    inside_ = true;
    set_float_state(state);
  }
  ~TaskScope() {
    set_float_state(state_before_);
    inside_ = inside_before_;
  }
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  static bool inside() { return inside_; }

 private:
  static inline thread_local bool inside_ = false;
  ThreadMemoryScope memory_;
  bool inside_before_;
  FloatState state_before_;
};

}  // namespace foveal
