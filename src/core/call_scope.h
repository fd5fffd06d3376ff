#pragma once
// What one call of the library says about its threads, for all that it runs.

namespace foveal {

/// Asked between tasks; true ends the call.
using StopQuestion = bool (*)(void* user);

/// While it lives, this thread's calls run their tasks on at most `threads` threads (0: the
/// process's number), and ask `stop` (null: nobody) before each task that this thread takes. Within
/// another one, what this one leaves open is as the other one says.
class CallScope {
 public:
  CallScope(int threads, StopQuestion stop, void* user)
      : threads_(threads), stop_(stop), user_(user), before_(current_) {
    if (before_ != nullptr && threads_ == 0) threads_ = before_->threads_;
    if (before_ != nullptr && stop_ == nullptr) {
      stop_ = before_->stop_;
      user_ = before_->user_;
    }
    current_ = this;
  }
  ~CallScope() { current_ = before_; }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  /// This thread's innermost, or null.
  static CallScope* current() { return current_; }

  int threads() const { return threads_; }
  /// Asks, and remembers a yes.
  bool stops() {
    stopped_ = stopped_ || (stop_ != nullptr && stop_(user_));
    return stopped_;
  }
  bool stopped() const { return stopped_; }

 private:
  static inline thread_local CallScope* current_ = nullptr;
  int threads_;
  StopQuestion stop_;
  void* user_;
  CallScope* before_;
  bool stopped_ = false;
};

}  // namespace foveal
