#include "draw/look.h"

#include <algorithm>
#include <cmath>

#include "draw/colour.h"

namespace foveal::draw {

const Palette& light_palette() {
  static const Palette palette{"#ffffff", "#f7f8fa", "#1b1f24", "#57606a", "#d5dae1",
                               "#b45309", "#6d28d9", "#f3f6fb", "#7db1f7", "#f2a36b"};
  return palette;
}

const Palette& dark_palette() {
  static const Palette palette{"#0f1317", "#161b21", "#e6e9ee", "#9aa4b2", "#2c333c",
                               "#fbbf24", "#c4b5fd", "#1a2029", "#2563c4", "#a3501a"};
  return palette;
}

std::string heat_colour(const Palette& palette, double heat) {
  const double share = std::isnan(heat) ? 0 : std::clamp(heat, -1.0, 1.0);
  const std::string& end = share < 0 ? palette.heat_negative : palette.heat_positive;
  return to_hex(mix(parse_colour(palette.heat_zero), parse_colour(end), std::abs(share)));
}

}  // namespace foveal::draw
