#pragma once
// Threads that wait for jobs and share each with its caller.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "core/call_scope.h"
#include "core/float_state.h"
#include "foveal/threads.h"

namespace foveal {

/// Tasks that its threads take one by one.
struct Job {
  ParallelBody body = nullptr;
  void* context = nullptr;
  std::int64_t count = 0;
  FloatState state = float_state();  ///< of the thread that makes the job
  std::atomic<std::int64_t> next{0};

  /// Runs tasks until none is left. `call` is that of the thread that made the job, which asks
  /// before each whether to stop; null on the others.
  void work(CallScope* call);
};

/// Workers wait for `ticket_` to move, then take one of the job's seats. When the tasks have run
/// out, the caller takes the seats that are left away, so that it waits only for workers that
/// joined: the job lives on its stack. Who waits looks for a short while, then sleeps; where there
/// are more threads than CPUs it sleeps at once, for it would keep others from working.
class Pool {
 public:
  /// Returns when all tasks are done, by the caller and at most `helpers` more threads: fewer where
  /// the system gives no more. Concurrent callers queue.
  /// `call` is the caller's, or null.
  void run(Job& job, int helpers, CallScope* call);
  /// Ends the workers once no job runs. The next job starts new ones.
  void end_workers();

 private:
  /// Starts what is missing of so many workers. Returns how many of them there are.
  int grow(int helpers);
  void serve(std::uint64_t seen);
  bool take_seat();
  void wake_workers(int helpers);
  void wait_for_ticket(std::uint64_t seen);
  void finish();
  void wait_for_workers(int joined);

  std::mutex callers_;  // held by the caller whose job runs
  std::mutex mutex_;    // guards sleeping against what ends it
  std::condition_variable wake_, done_;
  std::atomic<std::uint64_t> ticket_{0};
  std::atomic<int> sleepers_{0}, seats_{0}, finished_{0};
  std::atomic<bool> stop_{false}, caller_sleeps_{false};
  std::atomic<int> spins_{0};  // how often to look before sleeping
  Job* job_ = nullptr;
  std::vector<std::thread> workers_;
  int calls_before_try_ = 0;  // after the system gave no thread
};

}  // namespace foveal
