#pragma once
// Which steps an input has, and how large they are.

#include <optional>
#include <string>
#include <vector>

#include "trace/input/input.h"

namespace foveal::trace {

/// The sizes of an input, by their letters.
struct Sizes {
  std::int64_t L = 0, d_in = 0;
  std::int64_t H = 1;
  std::int64_t d = 0, d_v = 0;  ///< widths of queries and keys, and of values, all heads together
  std::int64_t D = 0, D_v = 0;  ///< the same of one head
};
Sizes sizes_of(const Input& input);

/// A step that is made with a W, and perhaps a b.
struct Projection {
  StepName step = {};
  std::string name;     ///< "query" of W_query and b_query; "key", "value", "out"
  Tensor weight, bias;  ///< undefined where the input has none
};
/// Queries, keys and values, in order, and the output where there is W_out.
std::vector<Projection> projections_of(const Input& input);
/// The one of a step; nothing where it has none.
std::optional<Projection> projection_of(const Input& input, StepName step);

/// The factor that scores are multiplied by: 1 for none.
double scale_factor(const Input& input);

/// The steps that a run of `input` shows, in order.
std::vector<StepName> steps_of(const Input& input);

/// True where the step has an axis of heads: (H, rows, columns), else (rows, columns).
bool has_head_axis(const Input& input, StepName step);

/// The shape of a step of steps_of(input).
Shape shape_of(const Input& input, StepName step);

}  // namespace foveal::trace
