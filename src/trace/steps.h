#pragma once
// Which steps a run on an input has, and what is said about each; the numbers come from run().

#include "trace/record.h"

namespace foveal::trace {

/// The sizes of an input, by their letters.
struct Sizes {
  std::int64_t L = 0, d_in = 0;
  std::int64_t H = 1;
  std::int64_t d = 0, d_v = 0;  ///< widths of queries and keys, and of values, all heads together
  std::int64_t D = 0, D_v = 0;  ///< the same of one head
};
Sizes sizes_of(const Input& input);

/// The factor that scores are multiplied by: 1 for none.
double scale_factor(const Input& input);

struct PlannedStep {
  Step step;  ///< without data
  Shape shape;
};

/// The steps in the order of foveal.trace/1, with title, formula, axes and note.
std::vector<PlannedStep> plan_steps(const Input& input);

}  // namespace foveal::trace
