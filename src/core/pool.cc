#include "core/pool.h"

#include <exception>

#include "core/task_scope.h"

namespace foveal {
namespace {

// A worker that has just finished looks this often for more before it sleeps: about 30 µs, the gap
// between two calls of one model's step.
constexpr int kSpins = 2000;
// To ask in vain for a thread takes as long as a short call.
constexpr int kCallsBetweenTries = 100;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void Job::work() {
  const TaskScope scope(state);
  for (std::int64_t index; (index = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
    body(context, index);
  }
}

void Pool::run(Job& job, int helpers) {
  const std::lock_guard queue(callers_);
  helpers = grow(helpers);
  if (helpers == 0) return job.work();
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

void Pool::end_workers() {
  const std::lock_guard queue(callers_);
  stop_ = true;
  {
    const std::lock_guard lock(mutex_);
    ticket_.fetch_add(1);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  stop_ = false;
}

int Pool::grow(int helpers) {
  const auto workers = [this] { return static_cast<int>(workers_.size()); };
  if (workers() >= helpers) return helpers;
  if (calls_before_try_ > 0) {
    --calls_before_try_;
    return workers();
  }
  try {
    while (workers() < helpers) {
      workers_.emplace_back([this, seen = ticket_.load()] { serve(seen); });
    }
  } catch (const std::exception&) {  // no thread left, or no memory for one
    calls_before_try_ = kCallsBetweenTries;
  }
  return workers();
}

void Pool::serve(std::uint64_t seen) {
  for (;;) {
    wait(seen);
    seen = ticket_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    if (!take_seat()) continue;
    job_->work();
    finished_.fetch_add(1, std::memory_order_release);
  }
}

bool Pool::take_seat() {
  int seats = seats_.load(std::memory_order_acquire);
  while (seats > 0) {
    if (seats_.compare_exchange_weak(seats, seats - 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

void Pool::wait(std::uint64_t seen) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (ticket_.load(std::memory_order_acquire) != seen) return;
    pause();
  }
  std::unique_lock lock(mutex_);
  sleepers_.fetch_add(1);
  wake_.wait(lock, [&] { return ticket_.load(std::memory_order_acquire) != seen; });
  sleepers_.fetch_sub(1);
}

}  // namespace foveal
