#pragma once
// Where time goes: seconds by operation, for whoever asks.

#include <map>
#include <string>

namespace foveal {

/// While one lives, what passes the door of operations is timed, gradients under the name of their
/// operation; what runs inside an operation counts as that. One at a time.
class OperationTimes {
 public:
  OperationTimes();
  ~OperationTimes();
  OperationTimes(const OperationTimes&) = delete;
  OperationTimes& operator=(const OperationTimes&) = delete;

  const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  friend class TimedOperation;
  std::map<std::string, double> seconds_;
};

/// One operation, or its gradient, on this thread.
class TimedOperation {
 public:
  explicit TimedOperation(const char* name);
  ~TimedOperation();
  TimedOperation(const TimedOperation&) = delete;
  TimedOperation& operator=(const TimedOperation&) = delete;

 private:
  const char* name_ = nullptr;  // null where nobody asks, or another one is running
  double start_ = 0;
};

}  // namespace foveal
