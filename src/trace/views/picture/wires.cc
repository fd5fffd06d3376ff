#include "trace/views/picture/wires.h"

#include <algorithm>

#include "draw/look.h"

namespace foveal::trace {
namespace {

using draw::Point;

constexpr double kFirstSlot = 12;   // below the line above
constexpr double kSlot = 8;         // between wires side by side
constexpr double kAway = 6;         // a wire begins so far from its matrix
constexpr double kInward = 8;       // and ends so far right of the first column
constexpr double kTurn = 20;        // right of the inputs, where their wire turns up
constexpr double kPastLabels = 10;  // left of a line's first step
constexpr double kTip = 2;          // above a title

/// Where something stands above the step, or all steps of the line share a wire, it comes from the
/// side; else straight down.
bool enters_from_side(const Station& station) { return station.above || station.beside; }

}  // namespace

Wires::Wires(const std::vector<Station>& stations, std::vector<std::size_t> lines)
    : stations_(stations), lines_(std::move(lines)) {
  add_nets();
  order_slots();
}

// What the station right before it on the same line gives is an arrow of the rail's.
void Wires::add_nets() {
  for (std::size_t to = 0; to < stations_.size(); ++to) {
    Net net{{}, {to}, stations_[to].by};
    for (const std::size_t from : stations_[to].from) {
      const bool is_neighbour = from + 1 == to && lines_[from] == lines_[to];
      if (!is_neighbour || stations_[to].beside) net.from.push_back(from);
    }
    if (net.from.empty()) continue;
    const bool joins = stations_[to].beside && !nets_.empty();
    if (joins) {
      nets_.front().to.push_back(to);
      continue;
    }
    // The arrow beside it says how V goes in.
    if (net.from.size() < stations_[to].from.size()) net.label = "V";
    if (stations_[to].beside) net.label.clear();
    nets_.push_back(std::move(net));
  }
}

bool Wires::is_local(const Net& net, std::size_t line) const {
  const auto ends_here = [&](std::size_t to) { return lines_[to] == line; };
  return std::any_of(net.to.begin(), net.to.end(), ends_here) && departs(net, line);
}

bool Wires::departs(const Net& net, std::size_t line) const {
  const auto in_line_above = [&](std::size_t from) { return lines_[from] + 1 == line; };
  const auto goes_on = [&](std::size_t to) { return lines_[to] >= line; };
  return std::any_of(net.from.begin(), net.from.end(), in_line_above) &&
         std::any_of(net.to.begin(), net.to.end(), goes_on);
}

bool Wires::arrives(const Net& net, std::size_t line) const {
  const auto comes_from_above = [&](std::size_t from) { return lines_[from] < line; };
  const auto ends_here = [&](std::size_t to) { return lines_[to] == line; };
  return !is_bus(net) && std::any_of(net.to.begin(), net.to.end(), ends_here) &&
         std::any_of(net.from.begin(), net.from.end(), comes_from_above);
}

// Wires that stay between two lines run above those that come from further up: fewer cross.
void Wires::order_slots() {
  slots_.resize(stations_.empty() ? 0 : lines_.back() + 1);
  for (std::size_t line = 1; line < slots_.size(); ++line) {
    std::vector<std::size_t> local, departing, arriving;
    for (std::size_t i = 0; i < nets_.size(); ++i) {
      if (is_local(nets_[i], line)) {
        local.push_back(i);
      } else if (departs(nets_[i], line)) {
        departing.push_back(i);
      } else if (arrives(nets_[i], line)) {
        arriving.push_back(i);
      }
    }
    for (const auto* part : {&local, &departing, &arriving}) {
      slots_[line].insert(slots_[line].end(), part->begin(), part->end());
    }
  }
}

std::size_t Wires::slots(std::size_t line) const { return slots_[line].size(); }

bool Wires::enters(std::size_t line) const {
  return std::any_of(nets_.begin(), nets_.end(),
                     [&](const Net& net) { return arrives(net, line) && !net.label.empty(); });
}

bool Wires::has_bus(std::size_t line) const {
  for (const Net& net : nets_) {
    for (const std::size_t to : net.to) {
      if (lines_[to] == line && enters_from_side(stations_[to])) return true;
    }
  }
  return false;
}

double Wires::slot(const Room& room, std::size_t line, std::size_t net) const {
  const auto& order = slots_[line];
  const auto index = std::find(order.begin(), order.end(), net) - order.begin();
  return room.tops[line] + kFirstSlot + static_cast<double>(index) * kSlot;
}

bool Wires::passes_lines(const Net& net) const {
  return !is_bus(net) && std::any_of(net.from.begin(), net.from.end(), [&](std::size_t from) {
    return lines_[from] + 1 < lines_[net.to.front()];
  });
}

// Those that pass whole lines do so at the right, each in its own lane.
double Wires::lane(const Room& room, std::size_t net) const {
  double x = room.right;
  for (std::size_t i = 0; i < net; ++i) x += passes_lines(nets_[i]) ? room.pitch : 0;
  return x;
}

std::vector<Point> Wires::way(const Room& room, std::size_t net, std::size_t from,
                              std::size_t to) const {
  const Place& source = room.places[from];
  const Place& target = room.places[to];
  const double column = target.left + kInward, bus = target.top - kBusAboveTitle;
  const bool from_side = enters_from_side(stations_[to]);
  std::vector<Point> way;
  if (source.line == target.line) {
    const double turn = source.right + kTurn;
    way = {{source.cells_end + kAway, source.middle}, {turn, source.middle}, {turn, bus}};
  } else {
    double y = slot(room, source.line + 1, net);
    way = {{source.left + kInward, source.bottom + kAway}, {source.left + kInward, y}};
    if (source.line + 1 < target.line && !is_bus(nets_[net])) {
      way.push_back({lane(room, net), y});
      y = slot(room, target.line, net);
      way.push_back({lane(room, net), y});
    }
    const double down = from_side ? room.x - kPastLabels : column;
    way.push_back({down, y});
    if (from_side) way.push_back({down, bus});
  }
  if (from_side) way.push_back({column, bus});
  way.push_back({column, target.top - kTip});
  return way;
}

void Wires::draw_net(draw::Svg& svg, const Room& room, std::size_t number) const {
  const Net& net = nets_[number];
  const draw::TextStyle style{draw::kLabelSize, svg.palette().ink2, true};
  for (const std::size_t to : net.to) {
    const Place& target = room.places[to];
    const double column = target.left + kInward;
    for (const std::size_t from : net.from) draw::wire(svg, way(room, number, from, to));
    if (!enters_from_side(stations_[to])) {
      svg.text(column + 10, target.top - 12, net.label, style);
      continue;
    }
    if (stations_[to].above) draw::node(svg, {column, target.top - kBusAboveTitle});
    const double under_slot = room.tops[target.line] + kFirstSlot + 20;
    if (!net.label.empty()) svg.text(room.x - kPastLabels + 8, under_slot, net.label, style);
  }
}

void Wires::draw(draw::Svg& svg, const Room& room) const {
  for (std::size_t i = 0; i < nets_.size(); ++i) draw_net(svg, room, i);
  for (std::size_t i = 0; i < stations_.size(); ++i) {
    if (!stations_[i].above) continue;
    const Place& place = room.places[i];
    const double x = place.left + kInward;
    draw::wire(svg, {{x, place.under_above + kAway}, {x, place.top - kTip}});
  }
}

}  // namespace foveal::trace
