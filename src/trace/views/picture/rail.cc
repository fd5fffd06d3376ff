#include "trace/views/picture/rail.h"

#include <algorithm>

#include "draw/arrow.h"
#include "draw/look.h"
#include "draw/text.h"

namespace foveal::trace {
namespace {

constexpr double kBesideGap = 40;
constexpr double kArrowMargin = 12;
constexpr double kShortestArrow = 28;
constexpr double kLineGap = 28;
constexpr double kSlotGap = 8;    // a wire more above a line
constexpr double kEntryGap = 52;  // where one turns down into it, with a label
constexpr double kAboveGap = 28;
constexpr double kBusGap = 44;  // between W and a step, with a wire in it

double arrow_length(const Station& station) {
  return std::max(kShortestArrow, draw::text_width(station.by, draw::kLabelSize, draw::Font::mono));
}

/// Before a station that isn't the first of its line.
double gap(const Station& station) {
  return station.beside ? kBesideGap : arrow_length(station) + 2 * kArrowMargin;
}

/// The middle of the cells of the panel's first matrices.
double middle_of_cells(const draw::Panel& panel) {
  return (panel.sizes.height(panel.grids[0]) - panel.sizes.header_height) / 2;
}

}  // namespace

Rail::Rail(std::vector<Station> stations, double width, double margin)
    : stations_(std::move(stations)), margin_(margin) {
  break_lines(width);
  const Wires wires(stations_, line_of_each());
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    measure_line(i, wires);
    width_ = std::max(width_, line_width(lines_[i].begin, lines_[i].end));
    height_ += lines_[i].gap + lines_[i].height;
  }
}

double Rail::line_width(std::size_t begin, std::size_t end) const {
  double width = 0;
  for (std::size_t i = begin; i < end; ++i) {
    width += station_width(stations_[i]) + (i > begin ? gap(stations_[i]) : 0);
  }
  return width;
}

// A group goes to a new line whole, if it doesn't fit; one too long for a line breaks anywhere.
void Rail::break_lines(double width) {
  Line line;
  for (std::size_t i = 0; i < stations_.size(); ++i) {
    std::size_t group_end = i + 1;
    while (stations_[i].starts_group && group_end < stations_.size() &&
           !stations_[group_end].starts_group) {
      ++group_end;
    }
    const bool fits = line_width(line.begin, group_end) <= width;
    if ((!fits || stations_[i].starts_line) && i > line.begin) {
      line.end = i;
      lines_.push_back(line);
      line.begin = i;
    }
  }
  line.end = stations_.size();
  lines_.push_back(line);
}

std::vector<std::size_t> Rail::line_of_each() const {
  std::vector<std::size_t> lines(stations_.size());
  for (std::size_t line = 0; line < lines_.size(); ++line) {
    for (std::size_t i = lines_[line].begin; i < lines_[line].end; ++i) lines[i] = line;
  }
  return lines;
}

void Rail::measure_line(std::size_t index, const Wires& wires) {
  Line& line = lines_[index];
  bool has_above = false;
  for (std::size_t i = line.begin; i < line.end; ++i) {
    line.top = std::max(line.top, draw::first_cell(stations_[i].main));
    if (const auto& above = stations_[i].above) {
      has_above = true;
      line.above = std::max(line.above, draw::panel_height(*above, draw::first_cell(*above)));
    }
  }
  line.between = wires.has_bus(index) ? kBusGap : has_above ? kAboveGap : 0;
  if (index > 0) {
    const auto slots = static_cast<double>(wires.slots(index));
    line.gap = kSlotGap * slots + (wires.enters(index) ? kEntryGap - kSlotGap : kLineGap);
  }
  for (std::size_t i = line.begin; i < line.end; ++i) {
    line.height = std::max(
        line.height, line.above + line.between + draw::panel_height(stations_[i].main, line.top));
  }
}

std::vector<Place> Rail::places(double x, double y) const {
  std::vector<Place> places;
  for (std::size_t index = 0; index < lines_.size(); ++index) {
    const Line& line = lines_[index];
    y += line.gap;
    double at = x;
    for (std::size_t i = line.begin; i < line.end; ++i) {
      const Station& station = stations_[i];
      if (i > line.begin) at += gap(station);
      Place place;
      place.line = index;
      place.x = at;
      place.left = at + station.main.sizes.label_width;
      place.right = at + station_width(station);
      place.cells_end = at + draw::cells_width(station.main);
      place.under_above = y + line.above;
      place.top = y + line.above + line.between;
      place.bottom = place.top + draw::panel_height(station.main, line.top);
      place.middle = place.top + line.top + middle_of_cells(station.main);
      at = place.right;
      places.push_back(place);
    }
    y += line.height;
  }
  return places;
}

void Rail::draw(draw::Svg& svg, double x, double y) const {
  const Wires wires(stations_, line_of_each());
  Wires::Room room{places(x, y), {}, x, x + width_ + margin_ / 3, margin_ / 4};
  for (const Line& line : lines_) {
    room.tops.push_back(y);
    y += line.gap + line.height;
  }
  wires.draw(svg, room);
  for (std::size_t i = 0; i < stations_.size(); ++i) {
    const Station& station = stations_[i];
    const Place& place = room.places[i];
    const Line& line = lines_[place.line];
    if (i > line.begin && !station.beside) {
      const Place& before = room.places[i - 1];
      const double start = before.cells_end + kArrowMargin;
      draw::arrow_right(svg, start, before.middle, place.x - kArrowMargin - start, station.by);
    }
    if (const auto& above = station.above) {
      const double first = draw::first_cell(*above);
      draw::draw_panel(svg, *above, place.x, place.under_above - draw::panel_height(*above, first),
                       first);
    }
    draw::draw_panel(svg, station.main, place.x, place.top, line.top);
  }
}

}  // namespace foveal::trace
