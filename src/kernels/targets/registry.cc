#include "kernels/targets/registry.h"

#include <pthread.h>

#include <atomic>
#include <cstdlib>

#include "foveal/error.h"
#include "foveal/target.h"

namespace foveal {
namespace {

std::vector<const Target*> detect() {
  std::vector<const Target*> targets{&portable_target()};
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  if (avx2) targets.push_back(&avx2_target());
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (!avx512) return targets;
  targets.push_back(&avx512_target());
  if (!__builtin_cpu_supports("avx512bf16")) return targets;
  // AMD's CPUs take as many pair products at once as float32's. Intel's take so few that widened
  // numbers are ready in 0.6 of the time (docs/performance.md).
  targets.insert(__builtin_cpu_is("amd") ? targets.end() : targets.end() - 1,
                 &avx512_bf16_target());
#elif defined(__aarch64__)
  targets.push_back(&neon_target());  // every AArch64 CPU has it
#endif
  return targets;
}

/// Throws Error for a name that isn't that of a usable target.
const Target& named(const std::string& name) {
  std::string names;
  for (const Target* target : usable_targets()) {
    if (name == target->name) return *target;
    names += (names.empty() ? "" : ", ") + std::string(target->name);
  }
  throw Error("target '" + name + "' is unknown or can't run here: use one of " + names,
              ErrorKind::usage);
}

const Target& from_environment() {
  const char* const name = std::getenv("FOVEAL_TARGET");
  return name == nullptr || *name == 0 ? *usable_targets().back() : named(name);
}

std::atomic<const Target*> set_by_name{nullptr};
std::atomic<const Target*> by_environment{nullptr};  // once it has been asked for

const Target& default_target() {
  if (const Target* const target = set_by_name.load()) return *target;
  const Target* target = by_environment.load();
  if (target == nullptr) by_environment = target = &from_environment();
  return *target;
}

/// A fork waits until the list is there: its child would wait for ever for the thread that makes
/// it.
[[maybe_unused]] const int kListIsThere =
    pthread_atfork([] { usable_targets(); }, nullptr, nullptr);

}  // namespace

const std::vector<const Target*>& usable_targets() {
  static const std::vector<const Target*> targets = detect();
  return targets;
}

const Target& find_target(const std::string& name) {
  return name.empty() ? default_target() : named(name);
}

std::vector<std::string> targets() {
  std::vector<std::string> names;
  for (const Target* target : usable_targets()) names.emplace_back(target->name);
  return names;
}

void set_target(const std::string& name) { set_by_name = name.empty() ? nullptr : &named(name); }

}  // namespace foveal
