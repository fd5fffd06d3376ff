#include "draw/arrow.h"

#include <fmt/format.h>

namespace foveal::draw {
namespace {

constexpr double kWidth = 1.5;
constexpr double kHead = 5;

}  // namespace

void arrow_right(Svg& svg, double x, double y, double length, std::string_view label) {
  const double tip = x + length;
  svg.path(fmt::format("M{} {}H{}M{} {}L{} {}L{} {}", coordinate(x), coordinate(y), coordinate(tip),
                       coordinate(tip - kHead), coordinate(y - kHead), coordinate(tip),
                       coordinate(y), coordinate(tip - kHead), coordinate(y + kHead)),
           "none", svg.palette().ink2, kWidth);
  svg.text(x + length / 2, y - 10, label,
           {kLabelSize, svg.palette().ink2, true, 400, Anchor::middle});
}

void arrow_down(Svg& svg, double x, double y, double length, std::string_view label) {
  const double tip = y + length;
  svg.path(fmt::format("M{} {}V{}M{} {}L{} {}L{} {}", coordinate(x), coordinate(y), coordinate(tip),
                       coordinate(x - kHead), coordinate(tip - kHead), coordinate(x),
                       coordinate(tip), coordinate(x + kHead), coordinate(tip - kHead)),
           "none", svg.palette().ink2, kWidth);
  svg.text(x + 12, y + length / 2 + 4, label, {kLabelSize, svg.palette().ink2, true});
}

}  // namespace foveal::draw
