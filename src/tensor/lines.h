#pragma once
// The lines of a tensor along one axis: what sum, max and softmax go through.

#include <algorithm>
#include <array>

#include "foveal/tensor.h"
#include "tensor/parallel.h"
#include "tensor/walk.h"

namespace foveal {

inline Shape without_axis(Shape shape, std::int64_t axis) {
  shape.erase(shape.begin() + axis);
  return shape;
}

/// Goes through the lines along `axis` (0 .. rank-1) of tensors whose sizes agree in the other
/// axes, on any thread: make() gives each range of lines its own function(line_of_a, line_of_out),
/// which takes the offsets of a line's first elements.
template <class Make>
void for_lines(const Tensor& a, const Tensor& out, std::int64_t axis, const Make& make) {
  const JoinedAxes<2> axes(without_axis(a.shape(), axis),
                           {without_axis(a.strides(), axis), without_axis(out.strides(), axis)});
  const std::int64_t inner = axes.shape.back();
  for_ranges(axes.rows() * inner, a.shape()[axis], [&](std::int64_t first, std::int64_t last) {
    auto function = make();
    RowWalk<2> walk(axes, first / inner);
    for (std::int64_t line = first; line < last; ++line) {
      const std::int64_t place = line % inner;
      function(walk.starts()[0] + place * axes.strides.back()[0],
               walk.starts()[1] + place * axes.strides.back()[1]);
      if (place == inner - 1) walk.advance();
    }
  });
}

/// Lines that lie side by side: `count` of them, `step` elements apart in `a`.
struct LineBlock {
  std::int64_t a, out;  // where the first one begins
  std::int64_t step, out_step, count;
};

/// Whether lines along `axis` are best read side by side: their elements lie further apart than
/// they do.
inline bool lie_side_by_side(const Tensor& a, std::int64_t axis) {
  const JoinedAxes<1> axes(without_axis(a.shape(), axis), {without_axis(a.strides(), axis)});
  return axes.shape.back() > 1 && axes.strides.back()[0] == 1 && a.strides()[axis] != 1;
}

/// Calls function(block) on any thread for blocks of `most` lines at most.
template <class Function>
void for_line_blocks(const Tensor& a, const Tensor& out, std::int64_t axis, std::int64_t most,
                     const Function& function) {
  const JoinedAxes<2> axes(without_axis(a.shape(), axis),
                           {without_axis(a.strides(), axis), without_axis(out.strides(), axis)});
  const auto [step, out_step] = axes.strides.back();
  const std::int64_t inner = axes.shape.back(), blocks = (inner + most - 1) / most;
  const std::int64_t work = std::min(inner, most) * a.shape()[axis];
  for_ranges(axes.rows() * blocks, work, [&](std::int64_t first, std::int64_t last) {
    RowWalk<2> walk(axes, first / blocks);
    for (std::int64_t index = first; index < last; ++index) {
      const std::int64_t begin = index % blocks * most;
      function(LineBlock{walk.starts()[0] + begin * step, walk.starts()[1] + begin * out_step, step,
                         out_step, std::min(most, inner - begin)});
      if (index % blocks == blocks - 1) walk.advance();
    }
  });
}

}  // namespace foveal
