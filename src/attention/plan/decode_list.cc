#include "attention/plan/decode_list.h"

#include <algorithm>

#include "attention/plan/plan_data.h"

namespace foveal {
namespace {

/// The last sequence whose first task (or finish) isn't after `index`: of equal ones the last has
/// some.
const DecodeSequence& holder_of(const std::vector<DecodeSequence>& sequences, std::int64_t index,
                                std::int64_t DecodeSequence::* first) {
  const auto after = std::upper_bound(
      sequences.begin(), sequences.end(), index,
      [first](std::int64_t at, const DecodeSequence& sequence) { return at < sequence.*first; });
  return *std::prev(after);
}

/// Whether the rows of a KV head are so few that K and V are read once for all of them: keys are
/// met by four rows at a time, and a vector of keys is to stay in the first cache meanwhile.
bool are_few(std::int64_t rows, const Problem& problem) {
  constexpr std::int64_t kAlways = 8, kMostBytes = 1536;  // of a key, for 16 in 24 KB
  if (rows <= kAlways) return true;
  const auto bytes = problem.head_size * static_cast<std::int64_t>(size_of(problem.dtype));
  return rows <= kDecodeRows && bytes <= kMostBytes;
}

}  // namespace

DecodeList::DecodeList(const Problem& problem, const std::vector<SequencePlan>& sequences,
                       std::int64_t row_tile) {
  // Numbers of K and V that are worth a thread's while: some microseconds.
  constexpr std::int64_t kLeastNumbers = 1 << 15;
  double numbers = 0;
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    const SequencePlan& plan = sequences[n];
    if (!plan.decode) continue;
    const std::int64_t groups = plan.sequence.entries * problem.kv_heads;
    DecodeSequence share{n,
                         problem.group() * plan.sequence.query_length,
                         decode_splits(plan.sequence.key_length),
                         true,
                         1,
                         tasks_,
                         finishes_,
                         parts_};
    share.few = are_few(share.rows, problem);
    if (!share.few) {
      share.row_tiles = (share.rows + row_tile - 1) / row_tile;
      has_row_tiles_ = true;
    }
    sequences_.push_back(share);
    tasks_ += groups * share.tasks_of_group();
    finishes_ += groups * share.finishes_of_group();
    if (share.splits > 1) parts_ += groups * share.splits * share.rows;
    numbers += static_cast<double>(groups * share.row_tiles) *
               static_cast<double>(plan.sequence.key_length);
  }
  numbers *= static_cast<double>(problem.head_size + problem.value_size);
  const double of_a_task =
      std::max(numbers / static_cast<double>(std::max<std::int64_t>(tasks_, 1)),
               static_cast<double>(1 << 9));
  tasks_at_a_time_ =
      std::max<std::int64_t>(static_cast<std::int64_t>(kLeastNumbers / of_a_task), 1);
}

const DecodeSequence& DecodeList::of_task(std::int64_t task) const {
  return holder_of(sequences_, task, &DecodeSequence::first_task);
}

const DecodeSequence& DecodeList::of_finish(std::int64_t finish) const {
  return holder_of(sequences_, finish, &DecodeSequence::first_finish);
}

}  // namespace foveal
