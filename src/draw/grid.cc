#include "draw/grid.h"

#include <algorithm>
#include <map>

#include "core/filled.h"
#include "draw/text.h"

namespace foveal::draw {
namespace {

constexpr double kHeader = 20;         // a line of column labels
constexpr double kApart = 6;           // above a row that stands apart
constexpr double kCaption = 18;        // a line for the head's name
constexpr double kVerticalLimit = 72;  // the longest column label that stands upright
constexpr double kLabelPitch = 12;     // labels closer than this would touch
const std::string kNot = "not ";       // before a printed number that is wrong
constexpr double kBaseline = 0.36;     // from a line's middle to its baseline, of the size

double widest(const std::vector<std::string>& labels, double limit) {
  double width = 0;
  for (const std::string& label : labels) {
    width = std::max(width, text_width(visible(label), kLabelSize, Font::mono));
  }
  return std::min(width, limit);
}

/// Of the part from the point on.
double fraction_width(const Cell& cell) {
  return text_width(after_point(cell.text).value_or(""), kTextSize, Font::mono);
}

class Drawing {
 public:
  Drawing(Svg& svg, const Grid& grid, const GridSizes& sizes, double x, double y)
      : svg_(svg), grid_(grid), sizes_(sizes), x_(x), y_(y) {}

  void cells() {
    if (sizes_.numbers) {
      for (std::size_t i = 0; i < grid_.cells.size(); ++i) numbered_cell(i);
    } else {
      heat_cells();
    }
  }

  void row_labels() {
    for (std::size_t row = 0; row < grid_.rows(); ++row) {
      const bool strong = row == grid_.followed || row == grid_.looked_at_row;
      if (!strong && !has_room(row, sizes_.cell_height, grid_.followed, grid_.looked_at_row))
        continue;
      const double middle = y_ + sizes_.row_top(grid_, row) + sizes_.cell_height / 2;
      label(grid_.row_labels[row], sizes_.label_width - kInside, strong,
            [&](const std::string& text, const TextStyle& style, const std::string& whole) {
              TextStyle ending = style;
              ending.anchor = Anchor::end;
              ending.room = sizes_.label_width - kInside;
              svg_.text(x_ - kInside, middle + kLabelSize * kBaseline, text, ending, whole);
            });
    }
  }

  void column_labels() {
    for (std::size_t column = 0; column < grid_.columns(); ++column) {
      const bool strong = column == grid_.looked_at_column;
      if (!strong && !has_room(column, sizes_.cell_width, grid_.looked_at_column, {})) continue;
      const double middle = x_ + (static_cast<double>(column) + 0.5) * sizes_.cell_width;
      const double limit = sizes_.upright() ? sizes_.cell_width - 4 : kVerticalLimit;
      label(grid_.column_labels[column], limit, strong,
            [&](const std::string& text, TextStyle style, const std::string& whole) {
              if (sizes_.upright()) {
                style.anchor = Anchor::middle;
                style.room = sizes_.cell_width;
                svg_.text(middle, y_ - 7, text, style, whole);
              } else {
                style.room = kVerticalLimit;
                svg_.vertical_text(middle + kLabelSize * kBaseline, y_ - 5, text, style, whole);
              }
            });
    }
  }

  void caption() {
    if (grid_.caption.empty()) return;
    const double above = sizes_.header_height - kCaption + 12;
    svg_.text(x_, y_ - sizes_.header_height + 12 - std::min(0.0, above), grid_.caption,
              {kLabelSize, svg_.palette().ink2, false, 600});
  }

  void outlines() {
    if (grid_.looked_at_row) outline_row(*grid_.looked_at_row, svg_.palette().select);
    if (grid_.followed) outline_row(*grid_.followed, svg_.palette().accent);
    if (!grid_.followed || !grid_.looked_at_column) return;
    const Box cell = box(*grid_.followed * grid_.columns() + *grid_.looked_at_column);
    svg_.outline(cell, svg_.palette().select, sizes_.numbers ? 2.5 : 1.5,
                 sizes_.numbers ? kCellRadius : 1);
  }

 private:
  void outline_row(std::size_t row, const std::string& colour) {
    svg_.outline(
        {x_ - 1, y_ + sizes_.row_top(grid_, row) - 1,
         static_cast<double>(grid_.columns()) * sizes_.cell_width + 2, sizes_.cell_height + 2},
        colour, sizes_.numbers ? 2 : 1.5, sizes_.numbers ? 5 : 2);
  }

  Box box(std::size_t index) const {
    const std::size_t row = index / grid_.columns();
    const std::size_t column = index % grid_.columns();
    return {x_ + static_cast<double>(column) * sizes_.cell_width + sizes_.gap / 2,
            y_ + sizes_.row_top(grid_, row) + sizes_.gap / 2, sizes_.cell_width - sizes_.gap,
            sizes_.cell_height - sizes_.gap};
  }

  void numbered_cell(std::size_t index) {
    const Cell& cell = grid_.cells[index];
    const Box at = box(index);
    const Palette& palette = svg_.palette();
    svg_.fill(at, cell.hatched ? svg_.hatch() : heat_colour(palette, cell.heat), kCellRadius);
    const double middle = at.x + at.width / 2;
    double baseline = at.y + at.height / 2 + kTextSize * kBaseline;
    if (!cell.printed.empty()) {
      svg_.outline({at.x + 1, at.y + 1, at.width - 2, at.height - 2}, palette.ink, 2, kCellRadius);
      svg_.text(middle, at.y + at.height / 2 + 11.5, kNot + cell.printed,
                {kLabelSize, palette.ink, true, 400, Anchor::middle});
      mark_corner(at);
      baseline -= 7;
    }
    if (!after_point(cell.text)) {
      svg_.text(middle, baseline, cell.text, {kTextSize, palette.ink, true, 400, Anchor::middle});
    } else {
      const double behind = sizes_.fraction_width - fraction_width(cell);
      svg_.text(middle + sizes_.text_width / 2 - behind, baseline, cell.text,
                {kTextSize, palette.ink, true, 400, Anchor::end});
    }
  }

  void mark_corner(const Box& at) {
    const double right = at.x + at.width - 1;
    svg_.path(filled("M{0} {1}h6v6z", coordinate(right - 6), coordinate(at.y + 1)),
              svg_.palette().ink);
  }

  // One path a colour: a picture of thousands of cells stays small.
  void heat_cells() {
    std::map<std::string, std::string> paths;
    for (std::size_t i = 0; i < grid_.cells.size(); ++i) {
      const Cell& cell = grid_.cells[i];
      const Box at = box(i);
      paths[cell.hatched ? svg_.hatch() : heat_colour(svg_.palette(), cell.heat)] +=
          filled("M{} {}h{}v{}h-{}z", coordinate(at.x), coordinate(at.y), coordinate(at.width),
                 coordinate(at.height), coordinate(at.width));
    }
    for (const auto& [colour, path] : paths) svg_.path(path, colour);
    for (std::size_t i = 0; i < grid_.cells.size(); ++i) {
      if (!grid_.cells[i].printed.empty()) svg_.outline(box(i), svg_.palette().ink, 2);
    }
  }

  // Where cells are small only some of the labels fit, and none beside a strong one.
  bool has_room(std::size_t index, double pitch, std::optional<std::size_t> strong,
                std::optional<std::size_t> strong_too) const {
    if (sizes_.numbers || pitch >= kLabelPitch) return true;
    const auto every = static_cast<std::size_t>(kLabelPitch / pitch) + 1;
    const auto near = [&](std::optional<std::size_t> other) {
      return other && (index > *other ? index - *other : *other - index) < every;
    };
    return index % every == 0 && !near(strong) && !near(strong_too);
  }

  template <class Write>
  void label(const std::string& name, double limit, bool strong, const Write& write) {
    const std::string text = visible(name);
    const std::string shown = cut(text, kLabelSize, Font::mono, limit);
    const Palette& palette = svg_.palette();
    write(shown, {kLabelSize, strong ? palette.ink : palette.ink2, true, strong ? 700 : 400},
          shown == text ? std::string() : text);
  }

  Svg& svg_;
  const Grid& grid_;
  const GridSizes& sizes_;
  double x_, y_;
};

}  // namespace

double GridSizes::row_top(const Grid& grid, std::size_t row) const {
  const bool behind = grid.apart && row >= *grid.apart;
  return static_cast<double>(row) * cell_height + (behind ? kApart : 0);
}

double GridSizes::width(const Grid& grid, bool labels) const {
  return (labels ? label_width : 0) + static_cast<double>(grid.columns()) * cell_width;
}

double GridSizes::height(const Grid& grid) const {
  return header_height + row_top(grid, grid.rows());
}

GridSizes measure(const std::vector<Grid>& grids, bool numbers, const Pitch& pitch,
                  double label_limit) {
  GridSizes sizes;
  sizes.numbers = numbers;
  double column_label = 0;
  double whole = 0;
  bool captions = false;
  for (const Grid& grid : grids) {
    sizes.label_width = std::max(sizes.label_width, widest(grid.row_labels, label_limit) + kInside);
    column_label = std::max(column_label, widest(grid.column_labels, kVerticalLimit));
    captions = captions || !grid.caption.empty();
    for (const Cell& cell : grid.cells) {
      const double fraction = fraction_width(cell);
      whole = std::max(whole, text_width(cell.text, kTextSize, Font::mono) - fraction);
      sizes.fraction_width = std::max(sizes.fraction_width, fraction);
      if (cell.printed.empty()) continue;
      sizes.cell_width = std::max(
          sizes.cell_width, text_width(kNot + cell.printed, kLabelSize, Font::mono) + kInside);
    }
  }
  sizes.text_width = whole + sizes.fraction_width;
  if (numbers) {
    sizes.cell_width = std::max(sizes.cell_width, sizes.text_width + 12);
  } else {
    sizes.cell_width = pitch.width;
    sizes.cell_height = pitch.height;
    sizes.gap = std::min(pitch.width, pitch.height) >= 8 ? 1 : 0;
  }
  sizes.header_height =
      (sizes.upright() ? kHeader : column_label + kInside) + (captions ? kCaption : 0);
  return sizes;
}

void draw_grid(Svg& svg, const Grid& grid, const GridSizes& sizes, double x, double y,
               bool labels) {
  Drawing drawing(svg, grid, sizes, x, y);
  drawing.cells();
  if (labels) drawing.row_labels();
  drawing.column_labels();
  drawing.caption();
  drawing.outlines();
}

}  // namespace foveal::draw
