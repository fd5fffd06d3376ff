#pragma once
// One matrix: labels, cells coloured by their value, numbers in them.

#include <optional>
#include <string>
#include <vector>

#include "draw/svg.h"

namespace foveal::draw {

struct Cell {
  std::string text;       ///< the number as shown
  double heat = 0;        ///< -1 to 1
  bool hatched = false;   ///< masked, or not a number
  std::string printed{};  ///< not empty: a printed number that this cell's disagrees with
};

struct Grid {
  std::string caption{};  ///< "head 0", or empty
  std::vector<std::string> row_labels{}, column_labels{};
  std::vector<Cell> cells{};              ///< row-major
  std::optional<std::size_t> apart{};     ///< a row that is no part of the matrix: it stands apart
  std::optional<std::size_t> followed{};  ///< the row with an outline and a bold label
  std::optional<std::size_t> looked_at_row{},
      looked_at_column{};  ///< the key looked at: bold label, and an outline around the row, or
                           ///< around the cell where the column meets the followed row

  std::size_t rows() const { return row_labels.size(); }
  std::size_t columns() const { return column_labels.size(); }
};

/// The sizes that the grids of one panel share.
struct GridSizes {
  bool numbers = true;  ///< false: heat alone
  double cell_width = kCellWidth, cell_height = kCellHeight, gap = kCellGap;
  double label_width = 0;     ///< left of the rows, with its margin
  double header_height = 0;   ///< above the rows, with the caption
  double text_width = 0;      ///< the longest number, points below one another
  double fraction_width = 0;  ///< the longest part from a point on

  /// Whether column labels stand upright; else they read from bottom to top.
  bool upright() const { return numbers || cell_width >= 20; }
  /// From the first row's top.
  double row_top(const Grid& grid, std::size_t row) const;
  double width(const Grid& grid, bool labels) const;
  double height(const Grid& grid) const;
};

/// From one cell to the next, where cells are heat alone.
struct Pitch {
  double width = 12, height = 12;
};

/// Measures the longest number and label; `pitch` counts where `numbers` is false.
GridSizes measure(const std::vector<Grid>& grids, bool numbers, const Pitch& pitch,
                  double label_limit);

/// (x, y) is the left top corner of the first cell; labels stand left of it and above.
void draw_grid(Svg& svg, const Grid& grid, const GridSizes& sizes, double x, double y, bool labels);

}  // namespace foveal::draw
