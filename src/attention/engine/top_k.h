#pragma once
// The k largest weights of one row, met in the order of keys.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace foveal {

template <class T>
class TopK {
 public:
  struct Entry {
    T weight = 0;
    std::int64_t key = -1;
  };

  explicit TopK(std::int64_t k) : k_(static_cast<std::size_t>(k)) {}

  void clear() { heap_.clear(); }
  bool full() const { return heap_.size() == k_; }

  /// Keys come in rising order, so that of equal weights the earlier ones stay.
  void offer(T weight, std::int64_t key) {
    const Entry entry{weight, key};
    if (full()) {
      if (!before(entry, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), before);
      heap_.back() = entry;
    } else {
      heap_.push_back(entry);
    }
    std::push_heap(heap_.begin(), heap_.end(), before);
  }

  /// Largest first, ties to the lower key; as many as were offered, k at most.
  const std::vector<Entry>& sorted() {
    std::sort_heap(heap_.begin(), heap_.end(), before);
    return heap_;
  }

 private:
  /// NaN is ranked below all weights: a row that has one has no others.
  static T rank(T weight) { return std::isnan(weight) ? T(-1) : weight; }

  static bool before(const Entry& a, const Entry& b) {
    const T first = rank(a.weight), second = rank(b.weight);
    return first > second || (first == second && a.key < b.key);
  }

  std::size_t k_;
  std::vector<Entry> heap_;  // the last in order on top
};

}  // namespace foveal
