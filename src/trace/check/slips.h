#pragma once
// The usual slips: how one computes attention wrongly, and what to call it.

#include <functional>
#include <string>
#include <vector>

#include "trace/check/chain.h"

namespace foveal::trace {

struct Slip {
  StepName step = {};                      ///< where it happens
  std::string text;                        ///< what the report says
  std::function<void(ChangedRun&)> plant;  ///< makes a recipe wrong in this way
};

/// Slips that may stand behind a wrong number of `step`, likely ones first. A slip of a
/// projection (queries, keys, values, output) is looked for in its own step alone; those of scale,
/// mask, softmax and dropout in every step from theirs on.
std::vector<Slip> usual_slips(const Record& record, StepName step);

/// True where `a` stands before `b` in the order of steps.
bool comes_before(StepName a, StepName b);

}  // namespace foveal::trace
