// A process that forks: the child has a pool that works, whatever the parent's threads were doing.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "child.h"
#include "core/thread_pool.h"

namespace foveal {
namespace {

#if !defined(FOVEAL_NO_FORK)
std::int64_t sum_of_tasks() {
  std::atomic<std::int64_t> sum{0};
  parallel_for(100, [&](std::int64_t index) { sum += index; });
  return sum;
}

class Fork : public ::testing::Test {
 protected:
  Fork() { set_num_threads(3); }
  ~Fork() override { set_num_threads(before_); }
  int before_ = num_threads();
};

bool computes_often() {
  for (int n = 0; n < 50; ++n) {
    if (sum_of_tasks() != 4950) return false;
  }
  return true;
}

TEST_F(Fork, TheChildOnlyExits) {
  ASSERT_TRUE(computes_often());
  EXPECT_TRUE(holds_in_child([] { return true; }));
}

TEST_F(Fork, TheChildComputesWithAsManyMoreAndFewerThreads) {
  for (const int threads : {3, 6, 2, 1}) {
    for (const int milliseconds : {0, 20}) {  // workers still look for work, or sleep
      ASSERT_TRUE(computes_often());
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      EXPECT_TRUE(holds_in_child([threads] {
        set_num_threads(threads);
        return computes_often();
      })) << threads;
      EXPECT_TRUE(computes_often());
    }
  }
}

TEST_F(Fork, AGrandchildComputesToo) {
  ASSERT_TRUE(computes_often());
  EXPECT_TRUE(holds_in_child(
      [] { return computes_often() && holds_in_child(computes_often) && computes_often(); }));
}

TEST_F(Fork, AnotherThreadMayBeInTheMidstOfAJob) {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) sum_of_tasks();
  });
  bool holds = true;
  for (int n = 0; n < 20 && holds; ++n) holds = holds_in_child(computes_often);
  stop = true;
  busy.join();
  EXPECT_TRUE(holds);
}
#endif

}  // namespace
}  // namespace foveal
