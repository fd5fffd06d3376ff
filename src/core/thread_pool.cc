#include "core/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "core/cpus.h"
#include "core/pool.h"
#include "core/task_scope.h"
#include "foveal/error.h"

namespace foveal {
namespace {

constexpr int kMaxThreads = 1024;

/// The process's pool. It is never destroyed: whoever calls while the process ends still finds it.
class ProcessPool {
 public:
  ProcessPool() { pthread_atfork(nullptr, nullptr, leave_to_parent); }

  /// No thread runs this library's code once it may be unloaded. Whoever ends the process from
  /// within a task can't wait for that task.
  ~ProcessPool() {
    Pool* const pool = pool_.load();
    if (pool != nullptr && !TaskScope::inside()) pool->end_workers();
  }

  Pool& get() {
    if (Pool* const pool = pool_.load(std::memory_order_acquire)) return *pool;
    auto fresh = std::make_unique<Pool>();
    Pool* made = nullptr;  // by another thread, meanwhile
    if (!pool_.compare_exchange_strong(made, fresh.get())) return *made;
    return *fresh.release();
  }

 private:
  /// A child has none of its parent's threads, and locks stay as they were at the fork: it forgets
  /// the pool as it is, and makes its own.
  static void leave_to_parent() { pool_.store(nullptr); }

  static inline std::atomic<Pool*> pool_{nullptr};
};

ProcessPool process_pool;

/// The host's runner, and what it gets. Two words, so they take a lock; without a host none is
/// taken.
class Host {
 public:
  struct Runner {
    ParallelRunner run;
    void* user;
  };

  Host() { pthread_atfork(lock, unlock, unlock); }

  void set(Runner runner) {
    const std::lock_guard guard(mutex_);
    runner_ = runner;
    present_ = runner.run != nullptr;
  }

  Runner get() const {
    if (!present_) return {nullptr, nullptr};
    const std::lock_guard guard(mutex_);
    return runner_;
  }

 private:
  static void lock() { mutex_.lock(); }
  static void unlock() { mutex_.unlock(); }

  static inline std::mutex mutex_;
  static inline Runner runner_{nullptr, nullptr};
  static inline std::atomic<bool> present_{false};
};

Host host;

/// A call that a host's threads run: each task as one of the pool's would.
struct HostCall {
  ParallelBody body;
  void* context;
  FloatState state = float_state();

  static void run(void* self, std::int64_t index) {
    const HostCall& call = *static_cast<const HostCall*>(self);
    const TaskScope scope(call.state);
    call.body(call.context, index);
  }
};

std::atomic<int> wanted_threads{0};  // 0: not set

}  // namespace

void set_num_threads(int count) {
  if (count < 1 || count > kMaxThreads) {
    throw Error("set_num_threads: count is " + std::to_string(count) + ": it must be from 1 to " +
                std::to_string(kMaxThreads));
  }
  wanted_threads = count;
}

int num_threads() {
  const int wanted = wanted_threads.load();
  return wanted > 0 ? wanted : usable_cpus();
}

void set_parallel_runner(ParallelRunner runner, void* user) { host.set({runner, user}); }

void run_tasks(std::int64_t count, ParallelBody body, void* context) {
  const int threads = num_threads();
  if (TaskScope::inside() || threads == 1 || count <= 1) {
    const ThreadMemoryScope memory;
    for (std::int64_t index = 0; index < count; ++index) body(context, index);
    return;
  }
  if (const Host::Runner runner = host.get(); runner.run != nullptr) {
    HostCall call{body, context};
    runner.run(count, HostCall::run, &call, runner.user);
    return;
  }
  Job job;
  job.body = body;
  job.context = context;
  job.count = count;
  process_pool.get().run(job, static_cast<int>(std::min<std::int64_t>(threads, count)) - 1);
}

}  // namespace foveal
