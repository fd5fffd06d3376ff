#pragma once
// The wires of the rail: from what a step is made of to the step.

#include <string>
#include <vector>

#include "draw/arrow.h"
#include "draw/svg.h"
#include "trace/views/picture/station.h"

namespace foveal::trace {

/// Where a station stands.
struct Place {
  std::size_t line = 0;
  double x = 0, right = 0;         ///< of the step with its labels
  double left = 0, cells_end = 0;  ///< of its first line of matrices, without labels
  double top = 0, bottom = 0;      ///< from its title to its last line
  double middle = 0;               ///< of its first rows of cells
  double under_above = 0;          ///< below what stands above it
};

/// Between what stands above the steps of a line and the steps there is room for a wire.
constexpr double kBusAboveTitle = 22;

class Wires {
 public:
  /// `lines` says which line each station stands in.
  Wires(const std::vector<Station>& stations, std::vector<std::size_t> lines);

  /// How many wires run side by side above a line.
  std::size_t slots(std::size_t line) const;
  /// Whether one of them goes down into the line with a label beside it.
  bool enters(std::size_t line) const;
  /// Whether one runs between what stands above the steps of a line and the steps.
  bool has_bus(std::size_t line) const;

  /// Everything that the drawing needs to know of the rail.
  struct Room {
    std::vector<Place> places;
    std::vector<double> tops;     ///< of the gaps above the lines
    double x = 0;                 ///< where lines begin
    double right = 0, pitch = 0;  ///< where the first wire may pass the lines, and the next ones
  };
  void draw(draw::Svg& svg, const Room& room) const;

 private:
  struct Net {
    std::vector<std::size_t> from, to;
    std::string label;
  };
  void add_nets();
  void order_slots();
  bool is_local(const Net& net, std::size_t line) const;
  bool departs(const Net& net, std::size_t line) const;
  bool arrives(const Net& net, std::size_t line) const;
  bool is_bus(const Net& net) const { return net.from == std::vector<std::size_t>{0}; }
  bool passes_lines(const Net& net) const;
  double slot(const Room& room, std::size_t line, std::size_t net) const;
  double lane(const Room& room, std::size_t net) const;
  std::vector<draw::Point> way(const Room& room, std::size_t net, std::size_t from,
                               std::size_t to) const;
  void draw_net(draw::Svg& svg, const Room& room, std::size_t net) const;

  const std::vector<Station>& stations_;
  std::vector<std::size_t> lines_;
  std::vector<Net> nets_;
  std::vector<std::vector<std::size_t>> slots_;  ///< of each line, the nets in order
};

}  // namespace foveal::trace
