#include "core/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <string>
#include <thread>
#include <vector>

#include "foveal/error.h"

namespace foveal {
namespace {

// A worker that has just finished looks this often for more before it sleeps: about 30 µs, the gap
// between two calls of one model's step.
constexpr int kSpins = 2000;
constexpr int kMaxThreads = 1024;

thread_local bool inside_task = false;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int available_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
}

struct Job {
  ParallelBody body = nullptr;
  void* context = nullptr;
  std::int64_t count = 0;
  std::atomic<std::int64_t> next{0};

  void work() {
    inside_task = true;
    for (std::int64_t index; (index = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      body(context, index);
    }
    inside_task = false;
  }
};

/// Workers wait for `ticket_` to move, then take one of the job's seats. When the tasks have run
/// out, the caller takes the seats that are left away, so that it waits only for workers that
/// joined: the job lives on its stack.
class Pool {
 public:
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      ticket_.fetch_add(1);
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void run(Job& job, int threads) {
    const std::lock_guard queue(callers_);
    const int helpers = static_cast<int>(std::min<std::int64_t>(threads, job.count)) - 1;
    grow(helpers);
    job_ = &job;
    finished_.store(0, std::memory_order_relaxed);
    seats_.store(helpers, std::memory_order_release);
    {
      const std::lock_guard lock(mutex_);
      ticket_.fetch_add(1, std::memory_order_release);
    }
    if (sleepers_.load() > 0) wake_.notify_all();
    job.work();
    const int joined = helpers - seats_.exchange(0, std::memory_order_acq_rel);
    while (finished_.load(std::memory_order_acquire) < joined) pause();
  }

 private:
  void grow(int helpers) {
    while (static_cast<int>(workers_.size()) < helpers) {
      workers_.emplace_back([this, seen = ticket_.load()] { serve(seen); });
    }
  }

  void serve(std::uint64_t seen) {
    for (;;) {
      wait(seen);
      seen = ticket_.load(std::memory_order_acquire);
      if (stop_.load()) return;
      if (!take_seat()) continue;
      job_->work();
      finished_.fetch_add(1, std::memory_order_release);
    }
  }

  bool take_seat() {
    int seats = seats_.load(std::memory_order_acquire);
    while (seats > 0) {
      if (seats_.compare_exchange_weak(seats, seats - 1, std::memory_order_acq_rel)) return true;
    }
    return false;
  }

  void wait(std::uint64_t seen) {
    for (int spin = 0; spin < kSpins; ++spin) {
      if (ticket_.load(std::memory_order_acquire) != seen) return;
      pause();
    }
    std::unique_lock lock(mutex_);
    sleepers_.fetch_add(1);
    wake_.wait(lock, [&] { return ticket_.load(std::memory_order_acquire) != seen; });
    sleepers_.fetch_sub(1);
  }

  std::mutex callers_;  // held by the caller whose job runs
  std::mutex mutex_;    // guards sleeping against a new ticket
  std::condition_variable wake_;
  std::atomic<std::uint64_t> ticket_{0};
  std::atomic<int> sleepers_{0}, seats_{0}, finished_{0};
  std::atomic<bool> stop_{false};
  Job* job_ = nullptr;
  std::vector<std::thread> workers_;
};

Pool& pool() {
  static Pool instance;
  return instance;
}

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
  if (inside_task || threads == 1 || count <= 1) {
    for (std::int64_t index = 0; index < count; ++index) body(context, index);
    return;
  }
  if (const ParallelRunner runner = host_runner.load()) {
    runner(count, body, context);
    return;
  }
  Job job;
  job.body = body;
  job.context = context;
  job.count = count;
  pool().run(job, threads);
}

}  // namespace foveal
