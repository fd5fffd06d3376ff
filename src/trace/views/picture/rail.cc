#include "trace/views/picture/rail.h"

#include <algorithm>

#include "draw/arrow.h"
#include "draw/look.h"
#include "draw/text.h"

namespace foveal::trace {
namespace {

constexpr double kBesideGap = 32;
constexpr double kArrowMargin = 12;
constexpr double kShortestArrow = 28;
constexpr double kLineGap = 64;
constexpr double kBesideLineGap = 28;
constexpr double kAboveGap = 20;

double arrow_length(const Station& station) {
  return std::max(kShortestArrow, draw::text_width(station.by, draw::kLabelSize, draw::Font::mono));
}

/// Before a station that isn't the first of its line.
double gap(const Station& station) {
  return station.beside ? kBesideGap : arrow_length(station) + 2 * kArrowMargin;
}

double station_width(const Station& station) {
  const double main = draw::panel_width(station.main);
  return station.above ? std::max(main, draw::panel_width(*station.above)) : main;
}

/// What stands above has its columns over those of the step.
void align(Station& station) {
  if (!station.above) return;
  draw::GridSizes& main = station.main.sizes;
  draw::GridSizes& above = station.above->sizes;
  main.label_width = above.label_width = std::max(main.label_width, above.label_width);
  const bool same = main.numbers && above.numbers &&
                    station.main.grids[0].columns() == station.above->grids[0].columns();
  if (same) main.cell_width = above.cell_width = std::max(main.cell_width, above.cell_width);
}

std::optional<draw::Panel> side_input(const Record& record, const Step& step, const Pair& pair,
                                      const Room& room) {
  const Input& input = record.input;
  const std::int64_t heads = input.settings.num_heads;
  if (step.name == StepName::queries) return weight_panel("W_query", input.W_query, heads, room);
  if (step.name == StepName::keys) return weight_panel("W_key", input.W_key, heads, room);
  if (step.name == StepName::values) return weight_panel("W_value", input.W_value, heads, room);
  if (step.name == StepName::output) return weight_panel("W_out", input.W_out, 1, room);
  if (step.name == StepName::masked_scores) {
    return step_panel(record, *find_step(record, StepName::mask), pair, room);
  }
  if (step.name == StepName::dropped_weights) {
    return step_panel(record, *find_step(record, StepName::dropout_mask), pair, room);
  }
  return std::nullopt;
}

}  // namespace

std::vector<Station> stations(const Record& record, const Pair& pair, const Room& room) {
  std::vector<Station> stations;
  for (const Step& step : record.steps) {
    if (step.name == StepName::mask || step.name == StepName::dropout_mask)
      continue;  // stand above another step
    Station station;
    station.main = step_panel(record, step, pair, room);
    station.above = side_input(record, step, pair, room);
    station.by = led_by(record, step);
    station.beside = step.name == StepName::keys || step.name == StepName::values;
    station.starts_group = step.name == StepName::scores || step.name == StepName::weights ||
                           step.name == StepName::context;
    station.starts_line = step.name == StepName::scores;
    align(station);
    stations.push_back(std::move(station));
  }
  return stations;
}

Rail::Rail(std::vector<Station> stations, double width) : stations_(std::move(stations)) {
  break_lines(width);
  for (Line& line : lines_) {
    measure_line(line);
    width_ = std::max(width_, line_width(line.begin, line.end));
    height_ += line.height + gap_above(line);
  }
}

double Rail::gap_above(const Line& line) const {
  if (line.begin == 0) return 0;
  return stations_[line.begin].beside ? kBesideLineGap : kLineGap;
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

void Rail::measure_line(Line& line) {
  for (std::size_t i = line.begin; i < line.end; ++i) {
    line.top = std::max(line.top, draw::first_cell(stations_[i].main));
    if (const auto& above = stations_[i].above) {
      line.above =
          std::max(line.above, draw::panel_height(*above, draw::first_cell(*above)) + kAboveGap);
    }
  }
  for (std::size_t i = line.begin; i < line.end; ++i) {
    line.height =
        std::max(line.height, line.above + draw::panel_height(stations_[i].main, line.top));
  }
}

void Rail::draw_line(draw::Svg& svg, const Line& line, double x, double y) const {
  const double top = y + line.above;
  for (std::size_t i = line.begin; i < line.end; ++i) {
    const Station& station = stations_[i];
    if (i > line.begin) {
      const double space = gap(station);
      if (!station.beside) {
        const draw::GridSizes& sizes = stations_[i - 1].main.sizes;
        const double rows = sizes.height(stations_[i - 1].main.grids[0]) - sizes.header_height;
        draw::arrow_right(svg, x + kArrowMargin, top + line.top + rows / 2,
                          space - 2 * kArrowMargin, station.by);
      }
      x += space;
    }
    if (const auto& above = station.above) {
      const double above_top = draw::first_cell(*above);
      draw::draw_panel(svg, *above, x, top - kAboveGap - draw::panel_height(*above, above_top),
                       above_top);
    }
    draw::draw_panel(svg, station.main, x, top, line.top);
    x += station_width(station);
  }
}

void Rail::draw(draw::Svg& svg, double x, double y) const {
  for (const Line& line : lines_) {
    const Station& first = stations_[line.begin];
    if (line.begin > 0 && !first.beside) {
      draw::arrow_down(svg, x + first.main.sizes.label_width + draw::kInside, y + 12, kLineGap - 28,
                       first.by);
    }
    y += gap_above(line);
    draw_line(svg, line, x, y);
    y += line.height;
  }
}

}  // namespace foveal::trace
