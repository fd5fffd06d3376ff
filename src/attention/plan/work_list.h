#pragma once
// The tiles of queries of all sequences of a plan as one list, so that threads share all of a call.

#include <cstdint>
#include <vector>

namespace foveal {

struct Problem;
struct SequencePlan;

/// Tiles are counted through the list: sequence by sequence, those with the most work first, and
/// within one head by head. It holds no tile itself, so its size is that of the sequences.
class WorkList {
 public:
  /// The tiles of one sequence: those from `first` on.
  struct Part {
    std::size_t sequence = 0;  ///< its place among the plan's
    std::int64_t first = 0, tiles = 0;
    std::int64_t last() const { return first + tiles; }
  };

  WorkList() = default;
  /// Of all sequences, or of those that aren't decoded.
  WorkList(const Problem& problem, const std::vector<SequencePlan>& sequences, bool with_decodes);

  std::int64_t tiles() const { return parts_.empty() ? 0 : parts_.back().last(); }
  /// Tiles that one thread takes at a time: several where each is little work.
  std::int64_t tiles_per_task(int threads) const;
  const std::vector<Part>& parts() const { return parts_; }
  /// The part that holds a tile.
  std::vector<Part>::const_iterator part_of(std::int64_t tile) const;

 private:
  std::vector<Part> parts_;
  std::int64_t keys_of_tile_ = 0;  ///< the mean of what a tile may meet
};

}  // namespace foveal
