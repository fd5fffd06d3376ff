#include "trace/input/decimal.h"

#include <charconv>
#include <cmath>
#include <locale>
#include <sstream>
#include <string_view>

#include "core/ascii.h"

namespace foveal::trace {
namespace {

/// Beyond these a fraction is as exact as a number is compared.
constexpr int kExactDecimals = 9;

/// Digits from `at` on; moves `at` behind them.
std::size_t skip_digits(const std::string& text, std::size_t* at) {
  const std::size_t start = *at;
  while (*at < text.size() && is_digit(text[*at])) ++*at;
  return *at - start;
}

/// A trailing % moves the decimal point.
std::optional<PrintedNumber> parse_percent(const std::string& text) {
  if (text.size() < 2 || text.back() != '%') return std::nullopt;
  std::string digits = text.substr(0, text.size() - 1);
  while (!digits.empty() && digits.back() == ' ') digits.pop_back();
  std::optional<PrintedNumber> number = parse_decimal(digits);
  if (!number) return std::nullopt;
  return PrintedNumber{text, number->value / 100, number->decimals + 2};
}

std::optional<PrintedNumber> parse_fraction(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return std::nullopt;
  const auto above = parse_decimal(text.substr(0, slash));
  const auto below = parse_decimal(text.substr(slash + 1));
  if (!above || !below || below->value == 0) return std::nullopt;
  return PrintedNumber{text, above->value / below->value, kExactDecimals};
}

}  // namespace

std::optional<PrintedNumber> parse_decimal(const std::string& text) {
  std::size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  const std::size_t whole = skip_digits(text, &at);
  std::size_t fraction = 0;
  if (at < text.size() && text[at] == '.') fraction = skip_digits(text, &++at);
  if (whole + fraction == 0 || whole + fraction > kMostDigits) return std::nullopt;
  int exponent = 0;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && text[at] == '+') ++at;
    const char* const end = text.data() + text.size();
    const auto result = std::from_chars(text.data() + at, end, exponent);
    if (result.ec != std::errc() || std::abs(exponent) > kMostDigits) return std::nullopt;
    at = static_cast<std::size_t>(result.ptr - text.data());
  }
  if (at != text.size()) return std::nullopt;
  std::istringstream stream(text);
  stream.imbue(std::locale::classic());
  PrintedNumber number{text, 0, std::max(0, static_cast<int>(fraction) - exponent)};
  if (!(stream >> number.value) || !std::isfinite(number.value)) return std::nullopt;
  return number;
}

std::optional<PrintedNumber> parse_written(const std::string& text) {
  constexpr std::string_view kMinus = "−";
  std::string plain = text;
  if (text.rfind(kMinus, 0) == 0) plain = "-" + text.substr(kMinus.size());
  for (const auto parse : {parse_decimal, parse_percent, parse_fraction}) {
    std::optional<PrintedNumber> number = parse(plain);
    if (!number) continue;
    number->text = text;
    return number;
  }
  return std::nullopt;
}

std::optional<double> number_in(const std::string& text) {
  const std::optional<PrintedNumber> number = parse_decimal(text);
  if (!number) return std::nullopt;
  return number->value;
}

}  // namespace foveal::trace
