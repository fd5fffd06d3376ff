// Limits of control groups, read from files as the kernel writes them.

#include "core/container.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <locale>

#include "core/cpus.h"
#include "core/memory.h"

namespace foveal {
namespace {

/// A file system of its own for each test.
class Container : public ::testing::Test {
 protected:
  Container() {
    std::string pattern = (std::filesystem::temp_directory_path() / "foveal-test-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~Container() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path whole = root_ + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }

  void expect(std::optional<std::uint64_t> memory, std::optional<double> cpus) const {
    const ContainerLimits limits = container_limits(root_);
    EXPECT_EQ(limits.memory, memory);
    EXPECT_EQ(limits.cpus, cpus);
  }

  std::string root_;
};

TEST_F(Container, NoFilesLimitNothing) { expect({}, {}); }

TEST_F(Container, TheTopGroupOfAContainer) {
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/memory.max", "8589934592\n");
  write("/sys/fs/cgroup/cpu.max", "250000 100000\n");
  expect(std::uint64_t{1} << 33, 2.5);
}

TEST_F(Container, WithoutALimitTheFilesSayMax) {
  write("/proc/self/cgroup", "0::/user.slice\n");
  write("/sys/fs/cgroup/user.slice/memory.max", "max\n");
  write("/sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
  expect({}, {});
}

TEST_F(Container, TheLeastOfAllLevelsCounts) {
  write("/proc/self/cgroup", "0::/a/b/c\n");
  write("/sys/fs/cgroup/a/memory.max", "3000\n");
  write("/sys/fs/cgroup/a/b/memory.max", "1000\n");
  write("/sys/fs/cgroup/a/b/c/memory.max", "2000\n");
  write("/sys/fs/cgroup/a/cpu.max", "50000 100000\n");
  write("/sys/fs/cgroup/a/b/c/cpu.max", "300000 100000\n");
  write("/sys/fs/cgroup/b/memory.max", "1\n");  // another group's
  expect(1000, 0.5);
}

TEST_F(Container, AHostsPathThatIsNotToBeSeenMeansTheTop) {
  write("/proc/self/cgroup", "0::/docker/0123abc\n");
  write("/sys/fs/cgroup/memory.max", "4096\n");
  expect(4096, {});
  write("/proc/self/cgroup", "0::/../../other\n");
  expect(4096, {});
}

TEST_F(Container, Version1HasAHierarchyForEachController) {
  write("/proc/self/cgroup",
        "7:memory:/box/inner\n5:cpu,cpuacct:/box\n3:name=systemd:/box\n0::/box\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "5000\n");
  write("/sys/fs/cgroup/memory/box/inner/memory.limit_in_bytes", "7000\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  write("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "150000\n");
  write("/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  expect(5000, 1.5);
}

TEST_F(Container, BothVersionsAtOnce) {
  write("/proc/self/cgroup", "4:memory:/m\n0::/u\n");
  write("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "5000\n");
  write("/sys/fs/cgroup/unified/u/cpu.max", "100000 50000\n");
  expect(5000, 2.0);
}

TEST_F(Container, WhatMakesNoSenseLimitsNothing) {
  write("/proc/self/cgroup", "nonsense\n:\n0:\n0::\n0::relative\n");
  write("/sys/fs/cgroup/memory.max", "-5\n");
  write("/sys/fs/cgroup/cpu.max", "0 0\n");
  expect({}, {});
}

/// "250 000", as French and Czech write it.
class SpacedNumbers : public std::numpunct<char> {
 protected:
  char do_thousands_sep() const override { return ' '; }
  std::string do_grouping() const override { return "\3"; }
};

TEST_F(Container, TheHostsLocaleReadsNothingElse) {
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/memory.max", "8589934592\n");
  write("/sys/fs/cgroup/cpu.max", "250000 100000\n");
  const std::locale before =
      std::locale::global(std::locale(std::locale::classic(), new SpacedNumbers));
  expect(std::uint64_t{1} << 33, 2.5);
  std::locale::global(before);
}

TEST_F(Container, NoMemoryAtAllLimitsNothing) {
  write("/proc/self/cgroup", "0::/a\n");
  write("/sys/fs/cgroup/a/memory.max", "0\n");
  expect({}, {});
  write("/sys/fs/cgroup/memory.max", "4096\n");
  expect(4096, {});
}

TEST_F(Container, LimitsSayWhatIsUsable) {
  EXPECT_GE(usable_cpus_by(root_), 1);
  EXPECT_GT(usable_memory_by(root_), 4096U);
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/memory.max", "4096\n");
  write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(usable_cpus_by(root_), 1);
  EXPECT_EQ(usable_memory_by(root_), 4096U);
}

TEST(UsableCpus, AQuotaIsRoundedUp) {
  EXPECT_EQ(cpus_within(8, {}), 8);
  EXPECT_EQ(cpus_within(8, 2.5), 3);
  EXPECT_EQ(cpus_within(8, 2.0), 2);
  EXPECT_EQ(cpus_within(8, 0.1), 1);
  EXPECT_EQ(cpus_within(2, 16.0), 2);
  EXPECT_GE(usable_cpus(), 1);
}

TEST(UsableMemory, IsAtMostTheMachines) {
  EXPECT_GT(usable_memory(), 0U);
  EXPECT_LE(usable_memory(), static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                                 static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
}

}  // namespace
}  // namespace foveal
