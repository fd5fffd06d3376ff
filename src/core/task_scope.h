#pragma once
// What a thread is like while it runs tasks.

namespace foveal {

/// While it lives, this thread's calls run inline.
class TaskScope {
 public:
  TaskScope() : before_(inside_) { inside_ = true; }
  ~TaskScope() { inside_ = before_; }
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  static bool inside() { return inside_; }

 private:
  static inline thread_local bool inside_ = false;
  bool before_;
};

}  // namespace foveal
