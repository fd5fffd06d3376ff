#include "cli/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace foveal::cli {

Progress::Progress(const std::string& what) : what_(what) {
  if (::isatty(STDERR_FILENO) == 1) thread_ = std::thread([this] { show(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Progress::set(const std::string& what) {
  const std::lock_guard lock(mutex_);
  what_ = what;
}

void Progress::show() {
  std::unique_lock lock(mutex_);
  int seconds = 0;
  while (!changed_.wait_for(lock, std::chrono::seconds(1), [this] { return done_; })) {
    std::fprintf(stderr, "\r\x1b[K%s, %d s", what_.c_str(), ++seconds);
    std::fflush(stderr);
  }
  if (seconds > 0) std::fputs("\r\x1b[K", stderr);
}

}  // namespace foveal::cli
