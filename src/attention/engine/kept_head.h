#pragma once
// What a thread has made of one KV head, kept for the tasks that follow on the same head.

#include <atomic>
#include <cstdint>

#include "attention/plan/plan_data.h"

namespace foveal {

/// A KV head of one sequence of one call.
struct HeadOfCall {
  std::uint64_t call = 0;
  const SequencePlan* sequence = nullptr;
  std::int64_t b = 0, kv = 0;
  bool operator==(const HeadOfCall&) const = default;
};

/// A number that no other call has.
inline std::uint64_t next_call() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

/// Whose head is kept.
class KeptHead {
 public:
  /// Whether all must be made anew, in memory that is `fresh` or holds another head's. Called once
  /// the memory is there, so that a call that found none leaves nothing behind.
  bool changes_to(const HeadOfCall& head, bool fresh) {
    const bool same = head == head_;
    head_ = head;
    return fresh || !same;
  }

 private:
  HeadOfCall head_;
};

}  // namespace foveal
