#include "draw/panel.h"

#include <algorithm>
#include <cmath>

#include "draw/text.h"

namespace foveal::draw {
namespace {

constexpr double kTitleLine = 20;
constexpr double kFormulaLine = 16;
constexpr double kBetweenGrids = 16;
constexpr double kScaleLine = 24;
constexpr double kNoteLine = 16;
constexpr double kNoteMargin = 8;
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

std::vector<std::string> formula_lines(const Panel& panel) {
  return wrap(panel.formula, kFormulaSize, Font::mono, panel.limit - panel.sizes.label_width);
}

std::vector<std::string> note_lines(const Panel& panel) {
  return wrap(panel.note, kLabelSize, Font::sans, panel.limit - panel.sizes.label_width);
}

double longest(const std::vector<std::string>& lines, double size, Font font) {
  double width = 0;
  for (const std::string& line : lines) width = std::max(width, widest_width(line, size, font));
  return width;
}

double title_width(const Panel& panel) {
  const double title = widest_width(panel.title, kStepSize, Font::sans_bold);
  if (panel.aside.empty()) return title;
  return title + kInside + widest_width(panel.aside, kLabelSize, Font::sans);
}

double foot_height(const Panel& panel) {
  const double notes = static_cast<double>(note_lines(panel).size());
  return (panel.scale ? kScaleLine : 0) + (notes > 0 ? kNoteMargin + notes * kNoteLine : 0);
}

double scale_width(const Scale& scale) {
  const double ends = text_width(scale.low + scale.high, kLabelSize, Font::mono);
  const double hatched = text_width(scale.hatched, kLabelSize, Font::mono) + kScaleHeight * 2 + 6;
  return ends + kScaleWidth + 20 + (scale.hatched.empty() ? 0 : kBetween + hatched);
}

void draw_scale(Svg& svg, const Scale& scale, double x, double y) {
  const Palette& palette = svg.palette();
  const TextStyle style{kLabelSize, palette.ink2, true};
  const std::string low = scale.low.empty() ? "0" : scale.low;
  const std::string middle = heat_colour(palette, scale.low.empty() ? 0.5 : 0);
  const std::string start = heat_colour(palette, scale.low.empty() ? 0 : -1);
  const double baseline = y + kScaleHeight - 1;
  svg.text(x, baseline, low, style);
  x += text_width(low, kLabelSize, Font::mono) + 6;
  svg.gradient({x, y, kScaleWidth, kScaleHeight}, start, middle, heat_colour(palette, 1));
  x += kScaleWidth + 6;
  svg.text(x, baseline, scale.high, style);
  x += text_width(scale.high, kLabelSize, Font::mono) + kBetween;
  if (scale.hatched.empty()) return;
  svg.fill({x, y, kScaleHeight * 2, kScaleHeight}, svg.hatch(), 2);
  svg.text(x + kScaleHeight * 2 + 6, baseline, scale.hatched, style);
}

}  // namespace

void arrange(Panel& panel, double width) {
  panel.limit = width;
  panel.grids_a_row = panel.grids.size();
  while (panel.grids_a_row > 1 && grids_width(panel, panel.grids_a_row) > width) {
    --panel.grids_a_row;
  }
}

double panel_width(const Panel& panel) {
  const double text =
      std::max({title_width(panel), longest(formula_lines(panel), kFormulaSize, Font::mono),
                longest(note_lines(panel), kLabelSize, Font::sans),
                panel.scale ? scale_width(*panel.scale) : 0});
  return std::max(panel.sizes.label_width + text, cells_width(panel));
}

double cells_width(const Panel& panel) {
  return grids_width(panel, std::min(panel.grids_a_row, panel.grids.size()));
}

double first_cell(const Panel& panel) {
  return kTitleLine + static_cast<double>(formula_lines(panel).size()) * kFormulaLine +
         panel.sizes.header_height;
}

double panel_height(const Panel& panel, double top) {
  const double rows = static_cast<double>(grid_rows(panel));
  const double cells = panel.sizes.height(panel.grids[0]) - panel.sizes.header_height;
  return top + rows * cells + (rows - 1) * (panel.sizes.header_height + kBetweenGrids) +
         foot_height(panel);
}

void draw_panel(Svg& svg, const Panel& panel, double x, double y, double top) {
  const Palette& palette = svg.palette();
  const GridSizes& sizes = panel.sizes;
  const double left = x + sizes.label_width;
  svg.text_with_aside(left, y + 13, panel.title, {kStepSize, palette.ink, false, 600}, panel.aside,
                      {kLabelSize, palette.ink2});
  double baseline = y + kTitleLine + 11;
  for (const std::string& line : formula_lines(panel)) {
    svg.text(left, baseline, line, {kFormulaSize, palette.ink2, true});
    baseline += kFormulaLine;
  }
  double grid_x = left;
  double grid_y = y + top;
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
  if (panel.scale) {
    draw_scale(svg, *panel.scale, left, bottom + 12);
    bottom += kScaleLine;
  }
  baseline = bottom + kNoteMargin + 11;
  for (const std::string& line : note_lines(panel)) {
    svg.text(left, baseline, line, {kLabelSize, palette.ink2});
    baseline += kNoteLine;
  }
}

}  // namespace foveal::draw
