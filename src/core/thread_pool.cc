#include "core/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "core/pool.h"
#include "core/task_scope.h"
#include "foveal/error.h"

namespace foveal {
namespace {

constexpr int kMaxThreads = 1024;

int available_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
}

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
std::atomic<ParallelRunner> host_runner{nullptr};

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
  static const int cpus = available_cpus();
  return wanted > 0 ? wanted : cpus;
}

void set_parallel_runner(ParallelRunner runner) { host_runner = runner; }

void run_tasks(std::int64_t count, ParallelBody body, void* context) {
  const int threads = num_threads();
  if (TaskScope::inside() || threads == 1 || count <= 1) {
    for (std::int64_t index = 0; index < count; ++index) body(context, index);
    return;
  }
  if (const ParallelRunner runner = host_runner.load()) {
    HostCall call{body, context};
    runner(count, HostCall::run, &call);
    return;
  }
  Job job;
  job.body = body;
  job.context = context;
  job.count = count;
  process_pool.get().run(job, static_cast<int>(std::min<std::int64_t>(threads, count)) - 1);
}

}  // namespace foveal
