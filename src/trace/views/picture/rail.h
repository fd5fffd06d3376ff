#pragma once
// The rail: panels in the order of the steps, left to right, wrapped into lines, with wires between
// them.

#include <vector>

#include "trace/views/picture/station.h"
#include "trace/views/picture/wires.h"

namespace foveal::trace {

class Rail {
 public:
  /// Lines no wider than `width`, but for a single station that is. Wires may use `margin` on both
  /// sides of it.
  Rail(std::vector<Station> stations, double width, double margin);
  double width() const { return width_; }
  double height() const { return height_; }
  /// (x, y) is its left top corner.
  void draw(draw::Svg& svg, double x, double y) const;

 private:
  struct Line {
    std::size_t begin = 0, end = 0;  ///< stations
    double gap = 0;                  ///< above it
    double above = 0;                ///< height of what stands above the steps
    double between = 0;              ///< between that and the steps
    double top = 0;                  ///< from a step's top to its first cell
    double height = 0;               ///< without the gap
  };
  void break_lines(double width);
  std::vector<std::size_t> line_of_each() const;
  void measure_line(std::size_t index, const Wires& wires);
  double line_width(std::size_t begin, std::size_t end) const;
  std::vector<Place> places(double x, double y) const;

  std::vector<Station> stations_;
  std::vector<Line> lines_;
  double width_ = 0, height_ = 0, margin_ = 0;
};

}  // namespace foveal::trace
