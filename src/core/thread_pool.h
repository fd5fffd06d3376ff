#pragma once
// parallel_for: independent tasks on the library's one pool of threads.

#include <exception>
#include <mutex>

#include "foveal/threads.h"

namespace foveal {

/// Threads that the tasks of this thread's call may use: those of its CallScope, else the
/// process's.
int threads_of_call();

/// Runs the tasks on the pool, or on the host's runner. Tasks are taken dynamically, in order.
/// Concurrent callers queue; a nested call runs inline. `body` doesn't throw. Throws Error (kind
/// stopped) once the call's CallScope says so; then some tasks were not run.
void run_tasks(std::int64_t count, ParallelBody body, void* context);

/// task(index) for index 0 .. count - 1, each once, on any thread; returns when all are done. Where
/// tasks throw, the exception of the lowest index is thrown again here, after the others have
/// finished: which one doesn't depend on the threads.
template <class Task>
void parallel_for(std::int64_t count, const Task& task) {
  struct Call {
    const Task& task;
    std::mutex mutex;
    std::exception_ptr error;
    std::int64_t failed;  // the index that threw `error`
  } call{task, {}, nullptr, count};
  run_tasks(
      count,
      [](void* context, std::int64_t index) {
        Call& self = *static_cast<Call*>(context);
        try {
          self.task(index);
        } catch (...) {
          const std::lock_guard lock(self.mutex);
          if (index < self.failed) {
            self.error = std::current_exception();
            self.failed = index;
          }
        }
      },
      &call);
  if (call.error) std::rethrow_exception(call.error);
}

}  // namespace foveal
