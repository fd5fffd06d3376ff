#include "measure/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace foveal::measure {

std::string bar(double share, int columns) {
  static const char* const kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths =
      static_cast<int>(std::lround(std::min(std::max(share, 0.0), 1.0) * columns * 8));
  std::string text;
  for (int n = 0; n < eighths / 8; ++n) text += "█";
  return text + kEighths[eighths % 8];
}

int decimals_for(double value) { return value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2; }

std::string short_number(double value) {
  if (value >= 0.9995) return fmt::format("{:.{}f}", value, decimals_for(value));
  if (value < 0.0005) return fmt::format("{:.1g}", value);
  return fmt::format("{:.4f}", value);
}

}  // namespace foveal::measure
