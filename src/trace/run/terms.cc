#include "trace/run/terms.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "core/filled.h"

namespace foveal::trace {
namespace {

constexpr std::size_t kWrittenWhole = 8;
constexpr std::size_t kWrittenOfMore = 6;
constexpr int kRestDecimals = 4;

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

std::string show(const Operand& operand) { return show(operand.value, operand.digits); }

double as_shown(const Operand& operand) {
  const double value = operand.value;
  const Digits& digits = operand.digits;
  if (!std::isfinite(value)) return value;
  if (digits.kind == Digits::Kind::given) return value;
  const double unit = std::pow(10, digits.decimals);
  const double size = std::abs(value);
  if (digits.kind == Digits::Kind::fixed && size > 1 / unit && size < 1e6) {
    // Away from a tie between two decimals a multiplication settles it; near one, the text does.
    const double units = value * unit;
    const double from_tie = std::abs(std::abs(units - std::trunc(units)) - 0.5);
    if (from_tie > 1e-3) return std::round(units) / unit;
  }
  return value_of(show(operand));
}

std::string show_in_product(const Operand& operand) {
  const std::string text = show(operand);
  const bool has_sign = text[0] == '-' || text.rfind("−", 0) == 0;
  return has_sign ? filled("({})", text) : text;
}

std::string power_text(const Operand& exponent, const std::optional<Operand>& shift) {
  if (!shift) return "e^" + show_in_product(exponent);
  return filled("e^({} − {})", show(exponent), show_in_product(*shift));
}

double power_value(const Operand& exponent, const std::optional<Operand>& shift) {
  return std::exp(as_shown(exponent) - (shift ? as_shown(*shift) : 0));
}

void Sum::product(const Operand& a, const Operand& b) {
  terms_.push_back({as_shown(a) * as_shown(b), a, b});
}

void Sum::number(const Operand& a) { terms_.push_back({as_shown(a), a}); }

void Sum::power(const Operand& exponent, const std::optional<Operand>& shift) {
  terms_.push_back({power_value(exponent, shift), exponent, shift, true});
}

std::string Sum::text(const Term& term) {
  if (term.is_power) return power_text(term.a, term.b);
  if (!term.b) return show_in_product(term.a);
  return show_in_product(term.a) + "·" + show_in_product(*term.b);
}

std::vector<bool> Sum::written_terms(Terms terms) const {
  std::vector<bool> written(terms_.size(), true);
  if (terms == Terms::all || terms_.size() <= kWrittenWhole) return written;
  const auto size = [&](std::size_t i) {
    const double value = std::abs(terms_[i].value);
    return std::isnan(value) ? HUGE_VAL : value;
  };
  std::vector<std::size_t> order(terms_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return size(i) > size(j); });
  written.assign(terms_.size(), false);
  for (std::size_t rank = 0; rank < kWrittenOfMore; ++rank) {
    // A term that is 0, such as a masked key's, tells nothing beside others.
    if (rank == 0 || size(order[rank]) > 0) written[order[rank]] = true;
  }
  return written;
}

Sum::Written Sum::write(Terms terms) const {
  const std::vector<bool> written = written_terms(terms);
  Written result;
  std::size_t others = 0;
  double rest = 0;
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    if (!written[i]) {
      ++others;
      rest += terms_[i].value;
      continue;
    }
    result.redone += terms_[i].value;
    result.text += (result.text.empty() ? "" : " + ") + text(terms_[i]);
  }
  if (others == 0) return result;
  const Operand shown{rest, {Digits::Kind::fixed, std::trunc(rest) == rest ? 0 : kRestDecimals}};
  result.redone += as_shown(shown);
  result.text += filled(" + … ({} more, together {})", others, show(shown));
  return result;
}

std::string equation(const std::string& text, double redone, const Operand& result) {
  const std::string shown = show(result);
  const bool same = show(redone, result.digits) == shown;
  return text + (same ? " = " : " ≈ ") + shown;
}

}  // namespace foveal::trace
