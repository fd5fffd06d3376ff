#include "trace/run/terms.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "trace/run/arithmetic.h"

namespace foveal::trace {
namespace {

constexpr std::size_t kWrittenWhole = 8;
constexpr std::size_t kWrittenFirst = 4;
constexpr std::size_t kWrittenLast = 2;

/// The value of a text that show() made: digits, perhaps a point, perhaps an exponent.
double value_of(const std::string& text) {
  double value = 0;
  int exponent = 0;
  bool after_point = false;
  for (std::size_t i = text[0] == '-' ? 1 : 0; i < text.size(); ++i) {
    if (text[i] == 'e') {
      exponent += std::atoi(text.c_str() + i + 1);
      break;
    }
    if (text[i] == '.') {
      after_point = true;
      continue;
    }
    value = value * 10 + (text[i] - '0');
    exponent -= after_point ? 1 : 0;
  }
  const double size =
      exponent < 0 ? value / std::pow(10, -exponent) : value * std::pow(10, exponent);
  return text[0] == '-' ? -size : size;
}

}  // namespace

double as_shown(const Operand& operand) {
  const double value = operand.value;
  if (!std::isfinite(value)) return value;
  if (std::abs(value) < 1e6) {
    // Away from a tie between two decimals a multiplication settles it; near one, the text does.
    const double unit = std::pow(10, operand.decimals);
    const double units = value * unit;
    const double from_tie = std::abs(std::abs(units - std::trunc(units)) - 0.5);
    if (from_tie > 1e-3) return std::round(units) / unit;
  }
  return value_of(show(value, operand.decimals));
}

std::string show_in_product(const Operand& operand) {
  const std::string text = show(operand.value, operand.decimals);
  const bool has_sign = text[0] == '-' || text.rfind("−", 0) == 0;
  return has_sign ? fmt::format("({})", text) : text;
}

bool Sum::next(double value) {
  redone_ += value;
  ++count_;
  return terms_ <= kWrittenWhole || count_ <= kWrittenFirst || count_ > terms_ - kWrittenLast;
}

void Sum::write(const std::string& term) {
  if (!text_.empty()) text_ += " + ";
  if (terms_ > kWrittenWhole && count_ == terms_ - kWrittenLast + 1) {
    text_ += fmt::format("… ({} more) … + ", terms_ - kWrittenFirst - kWrittenLast);
  }
  text_ += term;
}

void Sum::product(const Operand& a, const Operand& b) {
  if (next(as_shown(a) * as_shown(b))) write(show_in_product(a) + "·" + show_in_product(b));
}

void Sum::number(const Operand& a) {
  if (next(as_shown(a))) write(show_in_product(a));
}

void Sum::power(const Operand& a, double shift) {
  if (next(std::exp(as_shown(a) - shift))) write("e^" + show_in_product(a));
}

std::string equation(const std::string& text, double redone, const Operand& result) {
  const std::string shown = show(result.value, result.decimals);
  const bool same = show(redone, result.decimals) == shown;
  return text + (same ? " = " : " ≈ ") + shown;
}

}  // namespace foveal::trace
