#pragma once
// What is said about each step of a run: its formula, and what a learner should know of it.

#include <string>

#include "trace/input/sizes.h"

namespace foveal::trace {

struct Told {
  std::string formula;  ///< in letters: "Q = X W_query"
  std::string note;
};

/// Of the steps that `input` has; the others are empty.
PerStep<Told> tell(const Input& input);

}  // namespace foveal::trace
