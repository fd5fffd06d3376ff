#pragma once
// The merges as a flat hash table: which token two neighbours become.

#include <cstdint>
#include <vector>

namespace foveal::text {

/// Open addressing over pairs of ids. The merged ids rise in the order of the merges, so a lower
/// one is the earlier merge: no separate rank is kept.
class PairTable {
 public:
  /// What find gives for two tokens that don't merge; larger than any id.
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  /// Room for `most_pairs`.
  explicit PairTable(std::size_t most_pairs) {
    while (std::size_t{1} << bits_ < 2 * most_pairs) ++bits_;
    slots_.resize(std::size_t{1} << bits_);
  }

  /// The pair must not be there yet.
  void insert(std::uint32_t left, std::uint32_t right, std::uint32_t merged) {
    std::size_t at = home(left, right);
    while (slots_[at].merged != kNone) at = next(at);
    slots_[at] = {left, right, merged};
  }

  std::uint32_t find(std::uint32_t left, std::uint32_t right) const {
    for (std::size_t at = home(left, right);; at = next(at)) {
      const Slot& slot = slots_[at];
      if (slot.merged == kNone || (slot.left == left && slot.right == right)) return slot.merged;
    }
  }

 private:
  struct Slot {
    std::uint32_t left = 0, right = 0, merged = kNone;
  };

  /// Fibonacci hashing: the upper bits of a product with 2^64 over the golden ratio.
  std::size_t home(std::uint32_t left, std::uint32_t right) const {
    const std::uint64_t pair = std::uint64_t{left} << 32 | right;
    return static_cast<std::size_t>(pair * 0x9E3779B97F4A7C15u >> (64 - bits_));
  }
  std::size_t next(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }

  int bits_ = 1;
  std::vector<Slot> slots_;
};

}  // namespace foveal::text
