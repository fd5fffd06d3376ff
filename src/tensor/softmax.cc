// softmax: exp(a - max) / sum, along one axis.

#include <algorithm>
#include <cmath>
#include <vector>

#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/lines.h"
#include "tensor/numbers.h"
#include "tensor/visit.h"

namespace foveal {
namespace {

/// In place, in float64. Subtracting the maximum keeps exp from overflowing; where it is -inf,
/// -inf - -inf is NaN, and so is the line. A NaN makes every sum NaN.
void softmax_line(std::vector<double>& line) {
  const double maximum = *std::max_element(line.begin(), line.end());
  double sum = 0;
  for (double& value : line) {
    value = std::exp(value - maximum);
    sum += value;
  }
  for (double& value : line) value /= sum;
}

}  // namespace

Tensor softmax(const Tensor& a, std::int64_t axis) {
  require_defined(a, "softmax", "a");
  require_floating(a, "softmax", "a");
  const std::int64_t along = normalize_axis(axis, a.rank(), "softmax");
  Tensor out = TensorBuilder::empty(a.shape(), a.dtype());
  if (a.element_count() == 0) return out;
  visit_floating(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* const from = a.data<T>();
    T* const to = out.data<T>();
    const std::int64_t from_step = a.strides()[along];
    const std::int64_t to_step = out.strides()[along];
    const std::int64_t count = a.shape()[along];
    std::vector<double> line(static_cast<std::size_t>(count));
    for_each_line(a, out, along, [&](std::int64_t from_line, std::int64_t to_line) {
      for (std::int64_t i = 0; i < count; ++i) {
        line[i] = static_cast<double>(from[from_line + i * from_step]);
      }
      softmax_line(line);
      for (std::int64_t i = 0; i < count; ++i) to[to_line + i * to_step] = convert<T>(line[i]);
    });
  });
  return out;
}

}  // namespace foveal
