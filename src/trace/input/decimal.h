#pragma once
// Numbers as people write them.

#include <optional>
#include <string>

#include "trace/input/input.h"

namespace foveal::trace {

/// Of a written number, and its largest exponent.
constexpr int kMostDigits = 400;

/// "-0.27", ".5", "2." or "1.5e-3" with the decimals it shows; nothing for other text.
std::optional<PrintedNumber> parse_decimal(const std::string& text);

/// The same, also "24%" (0.24 with two decimals), "1/4" (exact), and the sign "−" (U+2212) for
/// minus.
std::optional<PrintedNumber> parse_written(const std::string& text);

/// The value of a decimal.
std::optional<double> number_in(const std::string& text);

}  // namespace foveal::trace
