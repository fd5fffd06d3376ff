#include "core/cpus.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "core/container.h"

namespace foveal {
namespace {

int allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
}

}  // namespace

int cpus_within(int cpus, std::optional<double> quota) {
  if (!quota || *quota >= cpus) return cpus;
  return std::max(static_cast<int>(std::ceil(*quota)), 1);
}

int usable_cpus_by(const std::string& root) {
  return cpus_within(allowed_cpus(), container_limits(root).cpus);
}

int usable_cpus() {
  static std::atomic<int> known{0};  // no lock: a fork may come at any time
  int cpus = known.load();
  if (cpus == 0) known = cpus = usable_cpus_by("");
  return cpus;
}

}  // namespace foveal
