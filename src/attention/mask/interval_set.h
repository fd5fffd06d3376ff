#pragma once
// Sets of keys as sorted, disjoint, half-open intervals.

#include <cstdint>
#include <vector>

namespace foveal {

struct Interval {
  std::int64_t begin = 0, end = 0;
};

class IntervalSet {
 public:
  IntervalSet() = default;
  /// [begin, end) cut to [0, length); empty where nothing is left.
  IntervalSet(std::int64_t begin, std::int64_t end, std::int64_t length);

  /// Appends an interval that begins at or after the end of the last one; touching ones are joined.
  void append(std::int64_t begin, std::int64_t end);

  bool empty() const { return intervals_.empty(); }
  const std::vector<Interval>& intervals() const { return intervals_; }
  std::int64_t count() const;

 private:
  std::vector<Interval> intervals_;
};

IntervalSet intersect(const IntervalSet& a, const IntervalSet& b);
IntervalSet unite(const IntervalSet& a, const IntervalSet& b);
/// [0, length) without `a`.
IntervalSet complement(const IntervalSet& a, std::int64_t length);

}  // namespace foveal
