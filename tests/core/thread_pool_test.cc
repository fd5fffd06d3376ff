#include "core/thread_pool.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/call_scope.h"
#include "foveal/error.h"

namespace foveal {
namespace {

class ThreadPool : public ::testing::Test {
 protected:
  ~ThreadPool() override {
    set_parallel_runner(nullptr);
    set_num_threads(before_);
  }
  int before_ = num_threads();
};

void expect_each_once(std::int64_t count) {
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
  parallel_for(count, [&](std::int64_t index) { ++runs[static_cast<std::size_t>(index)]; });
  for (const auto& times : runs) ASSERT_EQ(times.load(), 1);
}

TEST_F(ThreadPool, RunsEachTaskOnceForAnyNumberOfThreads) {
  for (int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    EXPECT_EQ(num_threads(), threads);
    for (std::int64_t count : {0, 1, 2, 7, 100, 1000}) expect_each_once(count);
  }
}

TEST_F(ThreadPool, AnInnerCallSaysWhatTheOuterOneSaysWhereItSaysNothing) {
  set_num_threads(4);
  const auto stops = [](void* user) { return *static_cast<bool*>(user); };
  bool stop = true, never = false;
  const CallScope outer(2, stops, &stop);
  {
    CallScope inner(0, nullptr, nullptr);
    EXPECT_EQ(threads_of_call(), 2);
    EXPECT_TRUE(inner.stops());
  }
  {
    CallScope inner(3, stops, &never);
    EXPECT_EQ(threads_of_call(), 3);
    EXPECT_FALSE(inner.stops());
  }
  EXPECT_EQ(threads_of_call(), 2);
}

TEST_F(ThreadPool, ManyShortCallsInARow) {
  set_num_threads(3);
  std::int64_t total = 0;
  for (int call = 0; call < 2000; ++call) {
    std::atomic<std::int64_t> sum{0};
    parallel_for(5, [&](std::int64_t index) { sum += index; });
    total += sum;
  }
  EXPECT_EQ(total, 2000 * 10);
}

TEST_F(ThreadPool, ConcurrentCallersQueue) {
  set_num_threads(2);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([] {
      for (int call = 0; call < 200; ++call) expect_each_once(17);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST_F(ThreadPool, NestedCallsRunInline) {
  set_num_threads(4);
  std::atomic<int> inner{0}, elsewhere{0};
  parallel_for(8, [&](std::int64_t) {
    const std::thread::id here = std::this_thread::get_id();
    parallel_for(8, [&](std::int64_t) {
      ++inner;
      if (std::this_thread::get_id() != here) ++elsewhere;
    });
  });
  EXPECT_EQ(inner, 64);
  EXPECT_EQ(elsewhere, 0);
}

TEST_F(ThreadPool, TheFirstExceptionComesBackAfterTheOthersHaveRun) {
  set_num_threads(2);
  std::atomic<int> runs{0};
  const auto task = [&](std::int64_t index) {
    ++runs;
    if (index % 3 == 0) throw std::runtime_error("task");
  };
  EXPECT_THROW(parallel_for(30, task), std::runtime_error);
  EXPECT_EQ(runs, 30);
  expect_each_once(10);
}

/// What a host was asked for.
struct HostCalls {
  std::int64_t calls = 0, tasks = 0;
};

/// Backwards, on the calling thread.
void run_backwards(std::int64_t count, ParallelBody body, void* context, void* user) {
  auto& asked = *static_cast<HostCalls*>(user);
  ++asked.calls;
  asked.tasks += count;
  for (std::int64_t index = count; index-- > 0;) body(context, index);
}

TEST_F(ThreadPool, AHostMayRunTheTasks) {
  HostCalls asked;
  set_num_threads(2);
  set_parallel_runner(run_backwards, &asked);
  expect_each_once(9);
  EXPECT_EQ(asked.calls, 1);
  EXPECT_EQ(asked.tasks, 9);
  set_parallel_runner(nullptr);
  expect_each_once(9);
  EXPECT_EQ(asked.calls, 1);
}

TEST_F(ThreadPool, AHostGetsNoNestedCalls) {
  HostCalls asked;
  set_num_threads(2);
  set_parallel_runner(run_backwards, &asked);
  std::atomic<int> inner{0};
  parallel_for(5, [&](std::int64_t) { parallel_for(7, [&](std::int64_t) { ++inner; }); });
  EXPECT_EQ(inner, 35);
  EXPECT_EQ(asked.calls, 1);
}

double cpu_seconds(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

TEST_F(ThreadPool, ACallerThatWaitsForALongTaskSleeps) {
  set_num_threads(2);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> begun{false};
  double before = 0;
  parallel_for(2, [&](std::int64_t) {
    if (std::this_thread::get_id() != caller) {
      begun = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    } else {
      while (!begun) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      before = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    }
  });
  EXPECT_LT(cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - before, 0.05);
}

TEST_F(ThreadPool, WorkersWithoutWorkSleep) {
  set_num_threads(3);
  expect_each_once(100);
  const double before = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_LT(cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - before, 0.05);
}

volatile std::sig_atomic_t signals_taken = 0;

TEST_F(ThreadPool, WorkersLeaveSignalsToTheHost) {
  set_num_threads(4);
  expect_each_once(100);
  struct sigaction count_it{}, before{};
  count_it.sa_handler = [](int) { signals_taken = signals_taken + 1; };
  sigaction(SIGUSR1, &count_it, &before);
  sigset_t one, mask_before;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &one, &mask_before);  // this thread alone would take it
  kill(getpid(), SIGUSR1);
  expect_each_once(1000);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(signals_taken, 0);
  pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);  // the host waits no more
  EXPECT_EQ(signals_taken, 1);
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(ThreadPool, WorkersTakeWhatIsTheirOwn) {
  set_num_threads(2);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> seen{false};
  parallel_for(2, [&](std::int64_t) {
    if (std::this_thread::get_id() == caller) {
      while (!seen) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return;
    }
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    EXPECT_EQ(sigismember(&mask, SIGINT), 1);
    for (int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) EXPECT_EQ(sigismember(&mask, own), 0) << own;
    seen = true;
  });
}

TEST_F(ThreadPool, RefusesAWrongCount) {
  EXPECT_THROW(set_num_threads(0), Error);
  EXPECT_THROW(set_num_threads(-1), Error);
  EXPECT_THROW(set_num_threads(1 << 20), Error);
}

}  // namespace
}  // namespace foveal
