#include "attention/mask/interval_set.h"

#include <algorithm>

namespace foveal {

IntervalSet::IntervalSet(std::int64_t begin, std::int64_t end, std::int64_t length) {
  append(std::max<std::int64_t>(begin, 0), std::min(end, length));
}

void IntervalSet::append(std::int64_t begin, std::int64_t end) {
  if (begin >= end) return;
  if (!intervals_.empty() && intervals_.back().end >= begin) {
    intervals_.back().end = std::max(intervals_.back().end, end);
  } else {
    intervals_.push_back({begin, end});
  }
}

std::int64_t IntervalSet::count() const {
  std::int64_t count = 0;
  for (const Interval& interval : intervals_) count += interval.end - interval.begin;
  return count;
}

IntervalSet intersect(const IntervalSet& a, const IntervalSet& b) {
  IntervalSet result;
  auto left = a.intervals().begin(), right = b.intervals().begin();
  while (left != a.intervals().end() && right != b.intervals().end()) {
    result.append(std::max(left->begin, right->begin), std::min(left->end, right->end));
    if (left->end < right->end) {
      ++left;
    } else {
      ++right;
    }
  }
  return result;
}

IntervalSet unite(const IntervalSet& a, const IntervalSet& b) {
  IntervalSet result;
  auto left = a.intervals().begin(), right = b.intervals().begin();
  while (left != a.intervals().end() || right != b.intervals().end()) {
    const bool take_left = right == b.intervals().end() ||
                           (left != a.intervals().end() && left->begin <= right->begin);
    const Interval& next = take_left ? *left++ : *right++;
    result.append(next.begin, next.end);
  }
  return result;
}

IntervalSet complement(const IntervalSet& a, std::int64_t length) {
  IntervalSet result;
  std::int64_t begin = 0;
  for (const Interval& interval : a.intervals()) {
    result.append(begin, interval.begin);
    begin = interval.end;
  }
  result.append(begin, length);
  return result;
}

}  // namespace foveal
