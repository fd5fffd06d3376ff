#pragma once
// Loops cut into ranges for the pool's threads.

#include <algorithm>
#include <cstdint>

#include "core/thread_pool.h"

namespace foveal {

/// Units of work (an element read or written, say) of one range: several times what waking a thread
/// costs.
constexpr std::int64_t kRangeWork = 1 << 15;

/// task(first, last) for ranges that cover 0 .. count - 1, each index `cost` units of work; on the
/// calling thread alone where the whole is small.
template <class Task>
void for_ranges(std::int64_t count, std::int64_t cost, const Task& task) {
  const std::int64_t grain =
      std::max<std::int64_t>(kRangeWork / std::max<std::int64_t>(cost, 1), 1);
  if (count <= grain) {
    if (count > 0) task(std::int64_t{0}, count);
    return;
  }
  parallel_for((count + grain - 1) / grain, [&](std::int64_t range) {
    task(range * grain, std::min((range + 1) * grain, count));
  });
}

}  // namespace foveal
