#pragma once
// Numbers as text, the same whatever locale the host program has set: printf, std::to_string of
// doubles and streams follow it, std::to_chars doesn't. (std::to_string of integers is fine.)

#include <charconv>
#include <string>

namespace foveal {

/// As C's printf writes it in the C locale: %.{precision}g, %f (fixed) or %e (scientific). "nan"
/// without a sign; "inf", "-inf".
std::string number_text(double value, int precision = 6,
                        std::chars_format form = std::chars_format::general);

}  // namespace foveal
