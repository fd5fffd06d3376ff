#pragma once
// What both reports write alike.

#include "measure/request.h"

namespace foveal::measure {

/// {"B": 8, "H": 12, ...}.
std::string shape_json(Op op, const Sizes& sizes);

/// "causal & window(128, 0)": without the empty parentheses of a mask that takes nothing.
std::string shown_mask(const Mask& mask);

}  // namespace foveal::measure
