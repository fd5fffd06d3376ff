#pragma once
// The rail: panels in the order of the steps, left to right, wrapped into lines.

#include <optional>
#include <string>
#include <vector>

#include "draw/panel.h"
#include "trace/views/picture/panels.h"

namespace foveal::trace {

/// A step, with what comes into it from the side (a W, a mask) above it.
struct Station {
  draw::Panel main;
  std::optional<draw::Panel> above{};
  std::string by;             ///< what leads to it from the step before
  bool beside = false;        ///< stands beside the one before it (keys beside queries): no arrow
  bool starts_group = false;  ///< the first of steps that rather stay on one line
  bool starts_line = false;
};

/// The stations of a record, in order.
std::vector<Station> stations(const Record& record, const Pair& pair, const Room& room);

class Rail {
 public:
  /// Lines no wider than `width`, but for a single station that is.
  Rail(std::vector<Station> stations, double width);
  double width() const { return width_; }
  double height() const { return height_; }
  /// (x, y) is its left top corner.
  void draw(draw::Svg& svg, double x, double y) const;

 private:
  struct Line {
    std::size_t begin = 0, end = 0;  ///< stations
    double above = 0;                ///< height of what stands above the steps
    double top = 0;                  ///< from a step's top to its first cell
    double height = 0;
  };
  void break_lines(double width);
  void measure_line(Line& line);
  double gap_above(const Line& line) const;
  double line_width(std::size_t begin, std::size_t end) const;
  void draw_line(draw::Svg& svg, const Line& line, double x, double y) const;

  std::vector<Station> stations_;
  std::vector<Line> lines_;
  double width_ = 0, height_ = 0;
};

}  // namespace foveal::trace
