#pragma once
// A step: title, formula, its matrices (one a head) side by side, and a scale where they are heat.

#include <string>
#include <vector>

#include "draw/grid.h"

namespace foveal::draw {

/// The ends of the colours, where a panel shows no numbers.
struct Scale {
  std::string low, high;  ///< "−2.5", "2.5"; an empty low: from zero up
  bool hatched = false;   ///< whether masked cells occur
};

struct Panel {
  std::string title, formula;
  std::vector<Grid> grids;
  GridSizes sizes;
  std::size_t grids_a_row = 1;
  Scale scale{};       ///< drawn where sizes.numbers is false
  std::string note{};  ///< one short line under the matrices
};

/// As many grids a row as fit `width` (one at least).
void arrange(Panel& panel, double width);

double panel_width(const Panel& panel);
/// With the line's `header` (at least sizes.header_height) above the first row of matrices.
double panel_height(const Panel& panel, double header);

/// From the panel's top to the top of its first cell.
double first_cell(const Panel& panel, double header);

/// (x, y) is the panel's left top corner.
void draw_panel(Svg& svg, const Panel& panel, double x, double y, double header);

}  // namespace foveal::draw
