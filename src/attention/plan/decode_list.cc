#include "attention/plan/decode_list.h"

#include <algorithm>

#include "attention/plan/plan_data.h"

namespace foveal {
namespace {

/// The last sequence whose first task (or group) isn't after `index`.
const DecodeSequence& holder_of(const std::vector<DecodeSequence>& sequences, std::int64_t index,
                                std::int64_t DecodeSequence::* first) {
  const auto after = std::upper_bound(
      sequences.begin(), sequences.end(), index,
      [first](std::int64_t at, const DecodeSequence& sequence) { return at < sequence.*first; });
  return *std::prev(after);
}

}  // namespace

DecodeList::DecodeList(const Problem& problem, const std::vector<SequencePlan>& sequences) {
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    const SequencePlan& plan = sequences[n];
    if (!plan.decode) continue;
    const std::int64_t groups = plan.sequence.entries * problem.kv_heads;
    const std::int64_t splits = decode_splits(plan.sequence.key_length);
    const std::int64_t rows = problem.group() * plan.sequence.query_length;
    sequences_.push_back({n, rows, splits, tasks_, groups_, parts_});
    tasks_ += groups * splits;
    groups_ += groups;
    parts_ += groups * splits * rows;
  }
}

const DecodeSequence& DecodeList::of_task(std::int64_t task) const {
  return holder_of(sequences_, task, &DecodeSequence::first_task);
}

const DecodeSequence& DecodeList::of_group(std::int64_t group) const {
  return holder_of(sequences_, group, &DecodeSequence::first_group);
}

}  // namespace foveal
