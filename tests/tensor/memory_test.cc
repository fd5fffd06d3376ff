// Memory that tensors let go of is kept for the next ones, up to a limit.

#include "tensor/memory.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <fstream>
#include <thread>
#include <vector>

#include "child.h"
#include "core/memory.h"
#include "core/thread_pool.h"
#include "foveal/memory.h"
#include "foveal/tensor.h"
#include "sanitized.h"

namespace foveal {
namespace {

#if !defined(FOVEAL_SANITIZED)  // nothing is kept, and what is too large ends the process
TEST(Memory, ALargeBlockServesTheNextTensorOfItsSize) {
  constexpr std::size_t kBytes = std::size_t{5} << 20;
  void* const first = allocate_memory(kBytes);
  free_memory(first, kBytes);
  void* const second = allocate_memory(kBytes - 100);
  EXPECT_EQ(second, first);
  free_memory(second, kBytes - 100);
}

/// Bytes of this process that lie in memory.
std::size_t resident_bytes() {
  std::size_t whole = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> whole >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(Memory, WhatIsKeptGoesBackToTheSystem) {
  release_memory();
  EXPECT_EQ(release_memory(), 0U);
  constexpr std::int64_t kNumbers = 1 << 22;
  constexpr std::size_t kBytes = kNumbers * sizeof(float);
  for (int n = 0; n < 3; ++n) Tensor::ones({kNumbers});
  EXPECT_GE(resident_bytes(), kBytes);
  const std::size_t before = resident_bytes();
  const std::size_t released = release_memory();
  EXPECT_GE(released, kBytes);
  EXPECT_LE(released, 2 * kBytes);  // one block serves all three
  EXPECT_LE(resident_bytes() + kBytes / 2, before);
}

TEST(Memory, NoMoreIsKeptThanWasPromised) {
  release_memory();
  for (std::size_t bytes = 4; bytes < (1 << 29); bytes = bytes * 5 / 4 + 4) {
    free_memory(allocate_memory(bytes), bytes);  // never written, so that it takes addresses alone
  }
  const std::size_t released = release_memory();
  EXPECT_LE(released, kMostKept + usable_memory() / 8);
  EXPECT_LE(released, usable_memory() / 4);
  EXPECT_GT(released, 0U);
}

/// Never written, so that they take addresses alone.
TEST(Memory, TwoBlocksThatAreLargerStay) {
  constexpr std::size_t kGiant = kMostKept * 3 / 2;
  if (usable_memory() / 8 < 2 * kGiant) GTEST_SKIP() << "less than 6 GB";
  release_memory();
  std::vector<void*> blocks(3);
  for (void*& block : blocks) block = allocate_memory(kGiant);
  for (void* const block : blocks) free_memory(block, kGiant);
  void* const again = allocate_memory(kGiant);
  EXPECT_EQ(again, blocks[2]) << "the newest";
  free_memory(again, kGiant);
  const std::size_t released = release_memory();
  EXPECT_GE(released, 2 * kGiant);
  EXPECT_LT(released, 3 * kGiant);
}

TEST(Memory, WhatNoMachineHoldsIsNull) { EXPECT_EQ(allocate_memory(~std::size_t{0} / 4), nullptr); }
#endif

TEST(Memory, BlocksAreAlignedWritableAndTheirOwn) {
  parallel_for(8, [](std::int64_t task) {
    for (std::size_t round = 0; round < 20; ++round) {
      std::vector<std::pair<unsigned char*, std::size_t>> blocks;
      for (std::size_t bytes = 1; bytes < (std::size_t{3} << 20); bytes = bytes * 5 + round) {
        auto* const data = static_cast<unsigned char*>(allocate_memory(bytes));
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0U);
        data[0] = data[bytes - 1] = static_cast<unsigned char>(task + 8);
        blocks.emplace_back(data, bytes);
      }
      for (const auto& [data, bytes] : blocks) {
        ASSERT_EQ(data[0], task + 8);
        ASSERT_EQ(data[bytes - 1], task + 8);
        free_memory(data, bytes);
      }
    }
  });
}

TEST(Memory, MoreThanIsEverKeptGoesBack) {
  free_memory(allocate_memory(kMostKept + 1), kMostKept + 1);
  std::vector<void*> blocks;
  for (int n = 0; n < 20; ++n) blocks.push_back(allocate_memory(kMostKept / 10));
  for (void* block : blocks) free_memory(block, kMostKept / 10);
}

#if !defined(FOVEAL_NO_FORK_BESIDE_FREES)
void take_and_let_go() {
  constexpr std::size_t kBytes = std::size_t{1} << 17;
  free_memory(allocate_memory(kBytes), kBytes);
}

TEST(Memory, AChildFindsTheKeptBlocksWholeAndFree) {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) take_and_let_go();
  });
  bool holds = true;
  for (int n = 0; n < 100 && holds; ++n) {
    holds = holds_in_child([] {
      take_and_let_go();
      return true;
    });
  }
  stop = true;
  busy.join();
  EXPECT_TRUE(holds);
}
#endif

}  // namespace
}  // namespace foveal
