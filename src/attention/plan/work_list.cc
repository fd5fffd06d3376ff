#include "attention/plan/work_list.h"

#include <algorithm>

#include "attention/plan/plan_data.h"

namespace foveal {

WorkList::WorkList(const Problem& problem, const std::vector<SequencePlan>& sequences,
                   bool with_decodes) {
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    const SequencePlan& plan = sequences[n];
    const std::int64_t tiles = plan.sequence.entries * problem.heads * plan.query_tiles;
    if (tiles > 0 && (with_decodes || !plan.decode)) parts_.push_back({n, 0, tiles});
  }
  const auto keys_of = [&](const Part& part) {
    return sequences[part.sequence].sequence.key_length;
  };
  std::stable_sort(parts_.begin(), parts_.end(), [&](const Part& a, const Part& b) {
    return a.tiles * keys_of(a) > b.tiles * keys_of(b);
  });
  std::int64_t first = 0;
  double keys = 0;
  for (Part& part : parts_) {
    part.first = first;
    first += part.tiles;
    keys += static_cast<double>(part.tiles) * static_cast<double>(keys_of(part));
  }
  if (first > 0) keys_of_tile_ = static_cast<std::int64_t>(keys / static_cast<double>(first));
}

std::int64_t WorkList::tiles_per_task(int threads) const {
  constexpr std::int64_t kFewKeys = 512, kMost = 8, kTasksPerThread = 8;
  const std::int64_t by_work = kFewKeys / std::max<std::int64_t>(keys_of_tile_, 64);
  const std::int64_t by_threads = tiles() / (kTasksPerThread * threads);
  return std::clamp<std::int64_t>(std::min(by_work, by_threads), 1, kMost);
}

std::vector<WorkList::Part>::const_iterator WorkList::part_of(std::int64_t tile) const {
  const auto after =
      std::upper_bound(parts_.begin(), parts_.end(), tile,
                       [](std::int64_t t, const Part& part) { return t < part.first; });
  return std::prev(after);
}

}  // namespace foveal
