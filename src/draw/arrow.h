#pragma once
// Arrows between steps.

#include <string_view>

#include "draw/svg.h"

namespace foveal::draw {

/// From (x, y) to the right, `length` long; the label stands above its middle.
void arrow_right(Svg& svg, double x, double y, double length, std::string_view label);
/// From (x, y) down, `length` long; the label stands right of it.
void arrow_down(Svg& svg, double x, double y, double length, std::string_view label);

}  // namespace foveal::draw
