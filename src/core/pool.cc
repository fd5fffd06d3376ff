#include "core/pool.h"

#include <signal.h>

#include <exception>

#include "core/cpus.h"
#include "core/task_scope.h"

namespace foveal {
namespace {

// Who waits looks this often before it sleeps: 30 to 100 µs, the gap between two calls of one
// model's step.
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

/// Whether the condition holds now, or while it is looked at so often.
template <class Condition>
bool holds_soon(const Condition& condition, int spins) {
  for (; spins > 0 && !condition(); --spins) pause();
  return condition();
}

/// While it lives, threads are made that leave signals to the host's: one of those may wait for
/// them, or its handlers need what is that thread's. A fault comes to the thread that makes it, and
/// SIGPROF to each that is to be measured.
class SignalsLeftToHost {
 public:
  SignalsLeftToHost() {
    sigset_t left;
    sigfillset(&left);
    for (int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF}) {
      sigdelset(&left, own);
    }
    pthread_sigmask(SIG_BLOCK, &left, &before_);
  }
  ~SignalsLeftToHost() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsLeftToHost(const SignalsLeftToHost&) = delete;
  SignalsLeftToHost& operator=(const SignalsLeftToHost&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

void Job::work(CallScope* call) {
  const TaskScope scope(state);
  for (;;) {
    if (call != nullptr && call->stops()) return next.store(count);  // nobody takes another
    const std::int64_t index = next.fetch_add(1, std::memory_order_relaxed);
    if (index >= count) return;
    body(context, index);
  }
}

void Pool::run(Job& job, int helpers, CallScope* call) {
  const std::lock_guard queue(callers_);
  helpers = grow(helpers);
  if (helpers == 0) return job.work(call);
  spins_ = helpers < usable_cpus() ? kSpins : 0;
  job_ = &job;
  finished_.store(0, std::memory_order_relaxed);
  seats_.store(helpers, std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    ticket_.fetch_add(1, std::memory_order_release);
  }
  wake_workers(helpers);
  job.work(call);
  wait_for_workers(helpers - seats_.exchange(0, std::memory_order_acq_rel));
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
  const SignalsLeftToHost left;
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
    wait_for_ticket(seen);
    seen = ticket_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    if (!take_seat()) continue;
    job_->work(nullptr);
    finish();
  }
}

bool Pool::take_seat() {
  int seats = seats_.load(std::memory_order_acquire);
  while (seats > 0) {
    if (seats_.compare_exchange_weak(seats, seats - 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

/// No more than can help: each one that wakes takes the CPU from somebody.
void Pool::wake_workers(int helpers) {
  const int sleepers = sleepers_.load();
  if (helpers >= sleepers) {
    if (sleepers > 0) wake_.notify_all();
    return;
  }
  for (int n = 0; n < helpers; ++n) wake_.notify_one();
}

void Pool::wait_for_ticket(std::uint64_t seen) {
  const auto moved = [&] { return ticket_.load(std::memory_order_acquire) != seen; };
  if (holds_soon(moved, spins_)) return;
  std::unique_lock lock(mutex_);
  sleepers_.fetch_add(1);
  wake_.wait(lock, moved);
  sleepers_.fetch_sub(1);
}

void Pool::finish() {
  finished_.fetch_add(1);
  if (!caller_sleeps_) return;
  // The caller either sleeps by now, or hasn't looked at finished_ yet.
  {
    const std::lock_guard lock(mutex_);
  }
  done_.notify_one();
}

void Pool::wait_for_workers(int joined) {
  const auto all_done = [&] { return finished_.load() == joined; };
  if (holds_soon(all_done, spins_)) return;
  std::unique_lock lock(mutex_);
  caller_sleeps_ = true;
  done_.wait(lock, all_done);
  caller_sleeps_ = false;
}

}  // namespace foveal
