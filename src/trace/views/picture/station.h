#pragma once
// The stations of the rail: the steps of a record, each with what comes into it.

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
  std::string by;                   ///< what leads to it: "softmax"
  std::vector<std::size_t> from{};  ///< the stations whose numbers it is made from
  bool beside = false;              ///< a projection: it stands beside the one before it
  bool starts_group = false;        ///< the first of steps that rather stay on one line
  bool starts_line = false;
};

/// The stations of a record, in order.
std::vector<Station> stations(const Record& record, const Pair& pair, const Room& room);

/// Its widest panel.
double station_width(const Station& station);

}  // namespace foveal::trace
