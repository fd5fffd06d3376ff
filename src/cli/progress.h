#pragma once
// A sign of life for long work.

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace foveal::cli {

/// From the second second on, shows what is done and for how long, on standard error, where that is
/// a terminal; wipes it when it goes.
class Progress {
 public:
  explicit Progress(const std::string& what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// What is done from now on.
  void set(const std::string& what);

 private:
  void show();

  std::string what_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace foveal::cli
