#pragma once
// The printed numbers of an input: its `expected`.

#include "trace/input/fields.h"
#include "trace/input/input.h"

namespace foveal::trace {

/// Reads `expected` of a checked input: any of its steps, their first rows, one list a head where
/// the step has a head axis.
std::vector<ExpectedStep> read_expected(const Field& field, const Input& input);

}  // namespace foveal::trace
