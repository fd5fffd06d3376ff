#pragma once
// What reports write alike.

#include "measure/request.h"

namespace foveal::measure {

/// {"B": 8, "H": 12, ...}.
std::string shape_json(Op op, const Sizes& sizes);

/// "causal & window(128, 0)": without the empty parentheses of a mask that takes nothing.
std::string shown_mask(const Mask& mask);

/// Eighths of a column, from an empty bar to a full one.
std::string bar(double share, int columns);

/// Decimals that leave a number about three digits.
int decimals_for(double value);

/// Three digits that matter: "1230", "24.3", "0.00398".
std::string short_number(double value);

}  // namespace foveal::measure
