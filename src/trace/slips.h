#pragma once
// The usual slips: how one computes attention wrongly, and what to call it.

#include <functional>
#include <string>
#include <vector>

#include "trace/chain.h"

namespace foveal::trace {

struct Slip {
  std::string step;                    ///< where it happens
  std::string text;                    ///< what the report says
  std::function<void(Recipe&)> plant;  ///< makes a recipe wrong in this way
};

/// Slips that may stand behind a wrong number of `step`, likely ones first. A slip of a
/// projection (queries, keys, values, output) is looked for in its own step alone; those of scale,
/// mask, softmax and dropout in every step from theirs on.
std::vector<Slip> usual_slips(const Record& record, const std::string& step);

/// The names of all steps in the order of foveal.trace/1.
const std::vector<std::string>& step_order();

/// True where `a` stands before `b` in step_order().
bool comes_before(const std::string& a, const std::string& b);

}  // namespace foveal::trace
