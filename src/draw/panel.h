#pragma once
// A step: title, formula, its matrices (one a head) side by side, and a scale where they are heat.

#include <string>
#include <vector>

#include "draw/grid.h"

namespace foveal::draw {

/// The ends of the colours, where a panel shows no numbers.
struct Scale {
  std::string low, high;  ///< "−2.5", "2.5"; an empty low: from zero up
  std::string hatched;    ///< what hatched cells are: "−∞ masked"; empty where there are none
};

struct Panel {
  std::string title, formula;
  std::string aside{};  ///< beside the title, in the shade of labels
  std::vector<Grid> grids{};
  GridSizes sizes{};
  std::size_t grids_a_row = 1;
  double limit = 1e9;  ///< longer formulas and notes wrap
  std::optional<Scale> scale{};
  std::string note{};  ///< one short line under the matrices
};

/// As many grids a row as fit `width` (one at least); that is its limit then.
void arrange(Panel& panel, double width);

double panel_width(const Panel& panel);
/// From the left of its labels to the right of its cells.
double cells_width(const Panel& panel);
/// From the panel's top to the top of its first cell, at least.
double first_cell(const Panel& panel);

/// With its first cell `top` below the panel's top.
double panel_height(const Panel& panel, double top);

/// (x, y) is the panel's left top corner; the first cell is `top` below it.
void draw_panel(Svg& svg, const Panel& panel, double x, double y, double top);

}  // namespace foveal::draw
