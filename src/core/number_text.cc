#include "core/number_text.h"

#include <cmath>

namespace foveal {

std::string number_text(double value, int precision, std::chars_format form) {
  if (std::isnan(value)) return "nan";
  constexpr std::size_t kLongest = 320;  // sign, the 309 digits of 1e308, point, exponent
  std::string text(kLongest + static_cast<std::size_t>(precision), '\0');
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, form, precision);
  text.resize(static_cast<std::size_t>(end.ptr - text.data()));
  return text;
}

}  // namespace foveal
