#pragma once
// The lines of a tensor along one axis: what sum, max and softmax go through.

#include <array>

#include "foveal/tensor.h"
#include "tensor/walk.h"

namespace foveal {

inline Shape without_axis(Shape shape, std::int64_t axis) {
  shape.erase(shape.begin() + axis);
  return shape;
}

/// Calls function(line_of_a, line_of_out): the offsets of the first element of each line along
/// `axis` (0 .. rank-1), for tensors whose sizes agree in the other axes.
template <class Function>
void for_each_line(const Tensor& a, const Tensor& out, std::int64_t axis, Function function) {
  const std::array<Strides, 2> strides = {without_axis(a.strides(), axis),
                                          without_axis(out.strides(), axis)};
  for_each_element<2>(without_axis(a.shape(), axis), strides,
                      [&](const std::array<std::int64_t, 2>& at) { function(at[0], at[1]); });
}

}  // namespace foveal
