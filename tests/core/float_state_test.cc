// The caller's rounding and subnormals hold in every task of its call, and nowhere else.

#include "core/float_state.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "core/thread_pool.h"
#include "float_states.h"

namespace foveal {
namespace {

/// The states that the tasks of a call find, which many threads take part in.
std::set<FloatState> states_of_tasks() {
  std::mutex mutex;
  std::set<FloatState> states;
  parallel_for(200, [&](std::int64_t) {
    std::this_thread::yield();
    const std::lock_guard lock(mutex);
    states.insert(control_of(float_state()));
  });
  return states;
}

void run_on_new_threads(std::int64_t count, ParallelBody body, void* context, void*) {
  std::vector<std::thread> threads;
  for (std::int64_t index = 0; index < count; ++index) {
    threads.emplace_back([=] {
      std::fesetenv(FE_DFL_ENV);
      body(context, index);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

class FloatStates : public ::testing::Test {
 protected:
  FloatStates() { set_num_threads(3); }
  ~FloatStates() override {
    set_parallel_runner(nullptr);
    set_num_threads(before_);
  }

  static void expect_callers() {
    const std::set<FloatState> usual = states_of_tasks();  // the workers start here
    EXPECT_EQ(usual.size(), 1U);
    for_each_float_state([] {
      const std::set<FloatState> found = states_of_tasks();
      EXPECT_EQ(found, std::set{control_of(float_state())});
    });
    EXPECT_EQ(states_of_tasks(), usual);
  }

  int before_ = num_threads();
};

TEST_F(FloatStates, WorkersTakeOnTheCallers) { expect_callers(); }

TEST_F(FloatStates, HostsThreadsTakeOnTheCallers) {
  set_parallel_runner(run_on_new_threads);
  expect_callers();
}

TEST_F(FloatStates, AHostsThreadHasItsOwnBackAfterEachTask) {
  set_parallel_runner([](std::int64_t count, ParallelBody body, void* context, void*) {
    std::thread([=] {
      std::fesetround(FE_UPWARD);
      const FloatState own = control_of(float_state());
      for (std::int64_t index = 0; index < count; ++index) {
        body(context, index);
        EXPECT_EQ(control_of(float_state()), own);
      }
    }).join();
  });
  EXPECT_EQ(states_of_tasks(), std::set{control_of(float_state())});
}

}  // namespace
}  // namespace foveal
