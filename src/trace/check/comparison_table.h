#pragma once
// Printed numbers of one row beside what they should be, unscaled and scaled.

#include <string>
#include <vector>

#include "trace/check/findings.h"

namespace foveal::trace {

/// The row of the first wrong score, weight or context, with a blank line before it; empty where
/// none of these is wrong.
std::string comparison_table(const Record& record, const std::vector<Finding>& findings);

}  // namespace foveal::trace
