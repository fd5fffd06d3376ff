#include "draw/arrow.h"

#include <algorithm>
#include <cmath>

#include "core/filled.h"

namespace foveal::draw {
namespace {

constexpr double kWidth = 1.5;
constexpr double kHead = 5;
constexpr double kCorner = 5;
constexpr double kNode = 3;

double length(const Point& from, const Point& to) {
  return std::abs(to.x - from.x) + std::abs(to.y - from.y);
}

/// The point `distance` from `from` on the way to `to`.
Point towards(const Point& from, const Point& to, double distance) {
  const double share = distance / length(from, to);
  return {from.x + (to.x - from.x) * share, from.y + (to.y - from.y) * share};
}

std::string written(const char* command, const Point& point) {
  return filled("{}{} {}", command, coordinate(point.x), coordinate(point.y));
}

bool is_straight(const Point& a, const Point& b, const Point& c) {
  return (a.x == b.x && b.x == c.x) || (a.y == b.y && b.y == c.y);
}

/// Without points that stand twice or on a straight way.
std::vector<Point> corners(const std::vector<Point>& points) {
  std::vector<Point> kept;
  for (const Point& point : points) {
    if (!kept.empty() && length(kept.back(), point) == 0) continue;
    if (kept.size() > 1 && is_straight(kept[kept.size() - 2], kept.back(), point)) kept.pop_back();
    kept.push_back(point);
  }
  return kept;
}

std::string head(const Point& before, const Point& tip) {
  const Point back = towards(tip, before, kHead);
  const double across = before.x == tip.x ? kHead : 0, along = kHead - across;
  return written("M", {back.x - across, back.y - along}) + written("L", tip) +
         written("L", {back.x + across, back.y + along});
}

}  // namespace

void arrow_right(Svg& svg, double x, double y, double length, std::string_view label) {
  wire(svg, {{x, y}, {x + length, y}});
  svg.text(x + length / 2, y - 10, label,
           {kLabelSize, svg.palette().ink2, true, 400, Anchor::middle});
}

void wire(Svg& svg, const std::vector<Point>& points) {
  const std::vector<Point> way = corners(points);
  if (way.size() < 2) return;
  std::string path = written("M", way.front());
  for (std::size_t i = 1; i + 1 < way.size(); ++i) {
    const double shorter = std::min(length(way[i - 1], way[i]), length(way[i], way[i + 1]));
    const double corner = std::min(kCorner, shorter / 2);
    path += written("L", towards(way[i], way[i - 1], corner)) + written("Q", way[i]) +
            written(" ", towards(way[i], way[i + 1], corner));
  }
  path += written("L", way.back()) + head(way[way.size() - 2], way.back());
  svg.path(path, "none", svg.palette().ink2, kWidth);
}

void node(Svg& svg, const Point& at) {
  svg.path(filled("M{0} {1}a{2} {2} 0 1 0 {3} 0a{2} {2} 0 1 0 -{3} 0z", coordinate(at.x - kNode),
                  coordinate(at.y), coordinate(kNode), coordinate(2 * kNode)),
           svg.palette().ink2);
}

}  // namespace foveal::draw
