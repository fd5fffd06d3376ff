// Blocks that threads keep between tasks, and that others give back.

#include "core/thread_memory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "child.h"
#include "core/thread_pool.h"

namespace foveal {
namespace {

constexpr std::size_t kBytes = 100000;

class ThreadMemoryTest : public ::testing::Test {
 protected:
  ThreadMemoryTest() {
    set_num_threads(3);
    free_thread_blocks();
  }
  ~ThreadMemoryTest() override { set_num_threads(before_); }

  int before_ = num_threads();
};

/// task(n) on each of three threads, at the same time.
template <class Task>
void on_three_threads(const Task& task) {
  std::atomic<int> begun{0};
  parallel_for(3, [&](std::int64_t n) {
    ++begun;
    while (begun < 3) std::this_thread::yield();
    task(n);
  });
}

TEST_F(ThreadMemoryTest, EachThreadsBlockIsItsOwnAndStays) {
  on_three_threads([](std::int64_t n) {
    const ThreadBlock block = thread_block(Kept::workspace, kBytes);
    std::memset(block.data, static_cast<int>(n), kBytes);
    const ThreadBlock again = thread_block(Kept::workspace, kBytes / 2);
    EXPECT_EQ(again.data, block.data);
    EXPECT_FALSE(again.fresh);
    EXPECT_NE(thread_block(Kept::scores, kBytes).data, block.data);
    const auto* const bytes = static_cast<const unsigned char*>(block.data);
    for (std::size_t i = 0; i < kBytes; ++i) ASSERT_EQ(bytes[i], n);
  });
  EXPECT_EQ(free_thread_blocks(), 3 * 2 * kBytes);
  EXPECT_EQ(free_thread_blocks(), 0U);
}

TEST_F(ThreadMemoryTest, ALargerBlockIsFresh) {
  parallel_for(1, [](std::int64_t) {
    EXPECT_TRUE(thread_block(Kept::workspace, 100).fresh);
    EXPECT_FALSE(thread_block(Kept::workspace, 100).fresh);
    EXPECT_TRUE(thread_block(Kept::workspace, 101).fresh);
  });
  parallel_for(1, [](std::int64_t) { EXPECT_FALSE(thread_block(Kept::workspace, 90).fresh); });
  EXPECT_EQ(free_thread_blocks(), 101U);
  parallel_for(1, [](std::int64_t) { EXPECT_TRUE(thread_block(Kept::workspace, 90).fresh); });
}

TEST_F(ThreadMemoryTest, WhatATaskUsesIsNotTaken) {
  std::atomic<int> checked{0};
  on_three_threads([&checked](std::int64_t n) {
    const ThreadBlock block = thread_block(Kept::workspace, kBytes);
    std::memset(block.data, static_cast<int>(n), kBytes);
    EXPECT_EQ(free_thread_blocks(), 0U);
    parallel_for(2, [](std::int64_t) {});  // a nested call's end isn't the task's
    EXPECT_EQ(free_thread_blocks(), 0U);
    const auto* const bytes = static_cast<const unsigned char*>(block.data);
    for (std::size_t i = 0; i < kBytes; ++i) EXPECT_EQ(bytes[i], n);
    ++checked;
    while (checked < 3) std::this_thread::yield();  // a task that has ended keeps no block
  });
  EXPECT_EQ(free_thread_blocks(), 3 * kBytes);
}

TEST_F(ThreadMemoryTest, ManyThreadsUseAndFreeAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([t] {
      for (int n = 0; n < 2000; ++n) {
        parallel_for(1, [t](std::int64_t) {
          auto* const data = static_cast<int*>(thread_block(Kept::workspace, 4000).data);
          for (int i = 0; i < 1000; ++i) data[i] = t;
          for (int i = 0; i < 1000; ++i) ASSERT_EQ(data[i], t);
        });
      }
    });
  }
  for (int n = 0; n < 2000; ++n) free_thread_blocks();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(free_thread_blocks(), 0U);  // theirs ended with them
}

#if !defined(FOVEAL_NO_FORK_BESIDE_FREES)
TEST_F(ThreadMemoryTest, AChildUsesAndFreesWhateverThreadsTheParentHas) {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) {
      parallel_for(1, [](std::int64_t) { thread_block(Kept::workspace, kBytes); });
      free_thread_blocks();
    }
  });
  bool holds = true;
  for (int n = 0; n < 30 && holds; ++n) {
    holds = holds_in_child([] {
      on_three_threads([](std::int64_t) { thread_block(Kept::workspace, kBytes); });
      return free_thread_blocks() >= 3 * kBytes;
    });
  }
  stop = true;
  busy.join();
  EXPECT_TRUE(holds);
}
#endif

}  // namespace
}  // namespace foveal
