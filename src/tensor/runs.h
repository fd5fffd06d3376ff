#pragma once
// Walking strided arrays in whatever order suits memory, on all threads.

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "tensor/parallel.h"
#include "tensor/walk.h"

namespace foveal {

/// The order of axes in which `strides` fall in size: the last axis of memory comes last.
inline std::vector<std::size_t> memory_order(const Strides& strides) {
  std::vector<std::size_t> order(strides.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&strides](std::size_t a, std::size_t b) {
    return std::abs(strides[a]) > std::abs(strides[b]);
  });
  return order;
}

/// sizes[order[0]], sizes[order[1]], ...
inline Shape reordered(const Shape& sizes, const std::vector<std::size_t>& order) {
  Shape result;
  result.reserve(order.size());
  for (const std::size_t axis : order) result.push_back(sizes[axis]);
  return result;
}

/// Axes joined in the memory order of the first array, axes of size 1 left out.
template <std::size_t N>
JoinedAxes<N> join_in_memory_order(const Shape& shape, std::array<Strides, N> strides) {
  const std::vector<std::size_t> order = memory_order(strides[0]);
  for (Strides& list : strides) list = reordered(list, order);
  return JoinedAxes<N>(reordered(shape, order), strides);
}

/// Calls function(run) on any thread until every element was visited once, in no order: along the
/// axis that the first array has innermost in memory. Each run has kRangeWork elements at most.
template <std::size_t N, class Function>
void for_runs(const Shape& shape, const std::array<Strides, N>& strides, const Function& function) {
  if (element_count(shape) == 0) return;
  const JoinedAxes<N> axes = join_in_memory_order<N>(shape, strides);
  const std::int64_t length = axes.shape.back(), piece = std::min(length, kRangeWork);
  const std::int64_t pieces = (length + piece - 1) / piece;
  for_ranges(axes.rows() * pieces, piece, [&](std::int64_t first, std::int64_t last) {
    RowWalk<N> walk(axes, first / pieces);
    Run<N> run{{}, axes.strides.back(), 0};
    for (std::int64_t index = first; index < last; ++index) {
      const std::int64_t begin = index % pieces * piece;
      for (std::size_t n = 0; n < N; ++n) run.starts[n] = walk.starts()[n] + begin * run.steps[n];
      run.count = std::min(piece, length - begin);
      function(static_cast<const Run<N>&>(run));
      if (begin + piece >= length) walk.advance();
    }
  });
}

}  // namespace foveal
