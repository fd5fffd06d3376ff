#include "core/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "core/call_scope.h"
#include "core/cpus.h"
#include "core/door.h"
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
  CallScope* call;
  FloatState state = float_state();
  std::atomic<bool> stopped{false};

  static void run(void* self, std::int64_t index) {
    HostCall& host_call = *static_cast<HostCall*>(self);
    // The caller's thread alone is asked: it is the one whose scope this is.
    CallScope* const call = host_call.call;
    if (call != nullptr && CallScope::current() == call && call->stops()) host_call.stopped = true;
    if (host_call.stopped) return;
    const TaskScope scope(host_call.state);
    host_call.body(host_call.context, index);
  }
};

void run_inline(std::int64_t count, ParallelBody body, void* context, CallScope* call) {
  const ThreadMemoryScope memory;
  for (std::int64_t index = 0; index < count; ++index) {
    if (call != nullptr && call->stops()) return;
    body(context, index);
  }
}

void run_on_threads(std::int64_t count, ParallelBody body, void* context, CallScope* call,
                    int threads) {
  if (const Host::Runner runner = host.get(); runner.run != nullptr) {
    HostCall host_call{body, context, call};
    runner.run(count, HostCall::run, &host_call, runner.user);
    return;
  }
  Job job;
  job.body = body;
  job.context = context;
  job.count = count;
  const int helpers = static_cast<int>(std::min<std::int64_t>(threads, count)) - 1;
  process_pool.get().run(job, helpers, call);
}

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

int threads_of_call() {
  const CallScope* const call = CallScope::current();
  return call != nullptr && call->threads() > 0 ? call->threads() : num_threads();
}

void run_tasks(std::int64_t count, ParallelBody body, void* context) {
  if (TaskScope::inside()) return run_inline(count, body, context, nullptr);
  CallScope* const call = CallScope::current();
  const int threads = threads_of_call();
  if (threads == 1 || count <= 1) {
    run_inline(count, body, context, call);
  } else {
    run_on_threads(count, body, context, call, threads);
  }
  if (call != nullptr && call->stopped()) {
    throw Error(kStopped, ErrorKind::stopped);
  }
}

}  // namespace foveal
