#include "draw/panel.h"

#include <algorithm>
#include <cmath>

#include "draw/text.h"

namespace foveal::draw {
namespace {

constexpr double kTitleBlock = 36;  // title and formula
constexpr double kBetweenGrids = 16;
constexpr double kFootLine = 24;  // the scale, or the note
constexpr double kScaleWidth = 72;
constexpr double kScaleHeight = 10;

std::size_t grid_rows(const Panel& panel) {
  return (panel.grids.size() + panel.grids_a_row - 1) / panel.grids_a_row;
}

double grids_width(const Panel& panel, std::size_t count) {
  double width = panel.sizes.label_width;
  for (std::size_t i = 0; i < count; ++i) width += panel.sizes.width(panel.grids[i], false);
  return width + kBetweenGrids * static_cast<double>(count - 1);
}

double foot_lines(const Panel& panel) {
  return (panel.sizes.numbers ? 0 : 1) + (panel.note.empty() ? 0 : 1);
}

void draw_scale(Svg& svg, const Panel& panel, double x, double y) {
  const Palette& palette = svg.palette();
  const TextStyle style{kLabelSize, palette.ink2, true};
  const std::string low = panel.scale.low.empty() ? "0" : panel.scale.low;
  const std::string middle = heat_colour(palette, panel.scale.low.empty() ? 0.5 : 0);
  const std::string start = heat_colour(palette, panel.scale.low.empty() ? 0 : -1);
  const double baseline = y + kScaleHeight - 1;
  svg.text(x, baseline, low, style);
  x += text_width(low, kLabelSize, Font::mono) + 6;
  svg.gradient({x, y, kScaleWidth, kScaleHeight}, start, middle, heat_colour(palette, 1));
  x += kScaleWidth + 6;
  svg.text(x, baseline, panel.scale.high, style);
  x += text_width(panel.scale.high, kLabelSize, Font::mono) + kBetween;
  if (!panel.scale.hatched) return;
  svg.fill({x, y, kScaleHeight * 2, kScaleHeight}, svg.hatch(), 2);
  svg.text(x + kScaleHeight * 2 + 6, baseline, "−∞ masked", style);
}

}  // namespace

void arrange(Panel& panel, double width) {
  panel.grids_a_row = panel.grids.size();
  while (panel.grids_a_row > 1 && grids_width(panel, panel.grids_a_row) > width)
    --panel.grids_a_row;
}

double panel_width(const Panel& panel) {
  const double title =
      panel.sizes.label_width + std::max(text_width(panel.title, kStepSize, Font::sans_bold),
                                         text_width(panel.formula, kFormulaSize, Font::mono));
  const double note = panel.sizes.label_width + text_width(panel.note, kLabelSize, Font::sans);
  const double scale =
      panel.sizes.numbers ? 0 : panel.sizes.label_width + (panel.scale.hatched ? 250 : 150);
  return std::max(
      {title, note, scale, grids_width(panel, std::min(panel.grids_a_row, panel.grids.size()))});
}

double first_cell(const Panel&, double header) { return kTitleBlock + header; }

double panel_height(const Panel& panel, double header) {
  const double rows = static_cast<double>(grid_rows(panel));
  const double cells = panel.sizes.height(panel.grids[0]) - panel.sizes.header_height;
  return kTitleBlock + header + rows * cells +
         (rows - 1) * (panel.sizes.header_height + kBetweenGrids) + foot_lines(panel) * kFootLine;
}

void draw_panel(Svg& svg, const Panel& panel, double x, double y, double header) {
  const Palette& palette = svg.palette();
  const GridSizes& sizes = panel.sizes;
  const double left = x + sizes.label_width;
  svg.text(left, y + 13, panel.title, {kStepSize, palette.ink, false, 600});
  svg.text(left, y + 31, panel.formula, {kFormulaSize, palette.ink2, true});
  double grid_x = left;
  double grid_y = y + first_cell(panel, header);
  double bottom = grid_y;
  for (std::size_t i = 0; i < panel.grids.size(); ++i) {
    const bool first = i % panel.grids_a_row == 0;
    if (first && i > 0) {
      grid_x = left;
      grid_y = bottom + kBetweenGrids + sizes.header_height;
    }
    const Grid& grid = panel.grids[i];
    draw_grid(svg, grid, sizes, grid_x, grid_y, first);
    grid_x += sizes.width(grid, false) + kBetweenGrids;
    bottom = grid_y + sizes.height(grid) - sizes.header_height;
  }
  if (!sizes.numbers) {
    draw_scale(svg, panel, left, bottom + 12);
    bottom += kFootLine;
  }
  if (!panel.note.empty()) svg.text(left, bottom + 17, panel.note, {kLabelSize, palette.ink2});
}

}  // namespace foveal::draw
