#include "core/filled.h"

#include <charconv>
#include <cmath>

namespace foveal {

std::string part_text(double number) {
  if (std::isnan(number)) return "nan";
  constexpr double kLarge = 1e16, kSmall = 1e-4;
  const double size = std::fabs(number);
  const bool plain = number == 0 || (size >= kSmall && size < kLarge);
  char text[32];
  const auto form = plain ? std::chars_format::fixed : std::chars_format::scientific;
  return {text, std::to_chars(text, text + sizeof text, number, form).ptr};
}

std::string fill_gaps(std::string_view text, std::span<const std::string> parts) {
  std::string result;
  std::size_t from = 0, next = 0;
  for (Gap gap = find_gap(text, 0, 0); gap.end != 0; gap = find_gap(text, from, next)) {
    result += text.substr(from, gap.begin - from);
    if (gap.brace) {
      result += text[gap.begin];
    } else {
      result += parts[gap.part];
      next = gap.part + 1;
    }
    from = gap.end;
  }
  return result += text.substr(from);
}

}  // namespace foveal
