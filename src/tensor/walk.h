#pragma once
// Walking strided arrays of one shape together, in row-major order.

#include <array>
#include <cstdint>
#include <vector>

#include "foveal/shape.h"

namespace foveal {

/// The index of the element that is number `position` in row-major order.
inline Shape index_of(std::int64_t position, const Shape& shape) {
  Shape index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = position % shape[axis];
    position /= shape[axis];
  }
  return index;
}

/// A run of `count` elements: of array n, the elements at starts[n], starts[n] + steps[n], ...
template <std::size_t N>
struct Run {
  std::array<std::int64_t, N> starts;
  std::array<std::int64_t, N> steps;
  std::int64_t count;

  bool is_dense() const {
    for (std::int64_t step : steps) {
      if (step != 1) return false;
    }
    return true;
  }
};

/// A shape and the strides of N arrays in it, with axes of size 1 left out and neighbouring axes
/// joined where every array allows it: dense arrays become one long run.
template <std::size_t N>
struct JoinedAxes {
  JoinedAxes(const Shape& full_shape, const std::array<Strides, N>& full_strides) {
    for (std::size_t axis = 0; axis < full_shape.size(); ++axis) {
      if (full_shape[axis] == 1) continue;
      std::array<std::int64_t, N> step;
      bool joins = !shape.empty();
      for (std::size_t n = 0; n < N; ++n) {
        step[n] = full_strides[n][axis];
        joins = joins && strides.back()[n] == step[n] * full_shape[axis];
      }
      if (joins) {
        shape.back() *= full_shape[axis];
        strides.back() = step;
      } else {
        shape.push_back(full_shape[axis]);
        strides.push_back(step);
      }
    }
    if (shape.empty()) {
      shape.push_back(1);
      strides.push_back({});
    }
  }

  std::int64_t rows() const { return element_count(Shape(shape.begin(), shape.end() - 1)); }

  Shape shape;
  std::vector<std::array<std::int64_t, N>> strides;
};

/// The rows of joined axes, that is all axes but the innermost one, in row-major order.
template <std::size_t N>
class RowWalk {
 public:
  /// Starts at row number `row`.
  RowWalk(const JoinedAxes<N>& axes, std::int64_t row)
      : axes_(axes), index_(axes.shape.size() - 1) {
    for (std::size_t axis = index_.size(); axis-- > 0;) {
      index_[axis] = row % axes.shape[axis];
      row /= axes.shape[axis];
      for (std::size_t n = 0; n < N; ++n) starts_[n] += index_[axis] * axes.strides[axis][n];
    }
  }

  /// Where the row begins in each array.
  const std::array<std::int64_t, N>& starts() const { return starts_; }

  void advance() {
    for (std::size_t axis = index_.size(); axis-- > 0;) {
      for (std::size_t n = 0; n < N; ++n) starts_[n] += axes_.strides[axis][n];
      if (++index_[axis] < axes_.shape[axis]) return;
      for (std::size_t n = 0; n < N; ++n) {
        starts_[n] -= axes_.strides[axis][n] * axes_.shape[axis];
      }
      index_[axis] = 0;
    }
  }

 private:
  const JoinedAxes<N>& axes_;
  Shape index_;
  std::array<std::int64_t, N> starts_{};
};

/// Calls function(run) for runs along the innermost axis until every element was visited once, in
/// row-major order. `strides` count elements, one list an array, each of shape's rank (0 repeats an
/// element).
template <std::size_t N, class Function>
void for_each_run(const Shape& shape, const std::array<Strides, N>& strides, Function function) {
  if (element_count(shape) == 0) return;
  const JoinedAxes<N> axes(shape, strides);
  Run<N> run{{}, axes.strides.back(), axes.shape.back()};
  RowWalk<N> walk(axes, 0);
  for (std::int64_t row = axes.rows(); row > 0; --row) {
    run.starts = walk.starts();
    function(static_cast<const Run<N>&>(run));
    walk.advance();
  }
}

/// Calls function(offsets) for each element: the element's place in each array.
template <std::size_t N, class Function>
void for_each_element(const Shape& shape, const std::array<Strides, N>& strides,
                      Function function) {
  for_each_run<N>(shape, strides, [&](const Run<N>& run) {
    std::array<std::int64_t, N> offsets = run.starts;
    for (std::int64_t i = 0; i < run.count; ++i) {
      function(static_cast<const std::array<std::int64_t, N>&>(offsets));
      for (std::size_t n = 0; n < N; ++n) offsets[n] += run.steps[n];
    }
  });
}

}  // namespace foveal
