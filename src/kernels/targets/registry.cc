#include "kernels/targets/registry.h"

#include <cstdlib>

#include "foveal/error.h"

namespace foveal {
namespace {

std::vector<const Target*> detect() {
  std::vector<const Target*> targets{&portable_target()};
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2) targets.push_back(&avx2_target());
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx512) targets.push_back(&avx512_target());
  if (avx512 && __builtin_cpu_supports("avx512bf16")) targets.push_back(&avx512_bf16_target());
#elif defined(__aarch64__)
  targets.push_back(&neon_target());  // every AArch64 CPU has it
#endif
  return targets;
}

}  // namespace

const std::vector<const Target*>& usable_targets() {
  static const std::vector<const Target*> targets = detect();
  return targets;
}

const Target& find_target(const std::string& name) {
  std::string wanted = name;
  if (wanted.empty()) {
    const char* forced = std::getenv("FOVEAL_TARGET");
    if (forced != nullptr) wanted = forced;
  }
  const auto& targets = usable_targets();
  if (wanted.empty()) return *targets.back();
  std::string names;
  for (const Target* target : targets) {
    if (wanted == target->name) return *target;
    names += (names.empty() ? "" : ", ") + std::string(target->name);
  }
  throw Error("target '" + wanted + "' is unknown or can't run here: use one of " + names,
              ErrorKind::usage);
}

}  // namespace foveal
