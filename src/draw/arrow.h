#pragma once
// Arrows between steps.

#include <string_view>
#include <vector>

#include "draw/svg.h"

namespace foveal::draw {

struct Point {
  double x = 0, y = 0;
};

/// From (x, y) to the right, `length` long; the label stands above its middle.
void arrow_right(Svg& svg, double x, double y, double length, std::string_view label);

/// Along `points`, each right of, left of, above or below the one before it, with round corners and
/// a head at the last one.
void wire(Svg& svg, const std::vector<Point>& points);

/// Where wires meet, and are not just crossing.
void node(Svg& svg, const Point& at);

}  // namespace foveal::draw
