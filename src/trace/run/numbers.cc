#include "trace/run/numbers.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/filled.h"
#include "core/number_text.h"

namespace foveal::trace {
namespace {

constexpr int kDecimals = 4;      ///< of computed numbers
constexpr int kMostDecimals = 8;  ///< beyond them an exponent is shorter
constexpr std::size_t kLongestGiven = 10;

/// From here on digits would only fill the line: 1.2346e+10.
double longest_plain(int decimals) { return decimals == 0 ? 1e15 : 1e10; }

std::string shortest(double value) { return filled("{}", value); }

/// "0.00001234" has four digits with 8 decimals.
int decimals_for_four_digits(double largest) {
  return kDecimals - 1 - static_cast<int>(std::floor(std::log10(largest)));
}

std::vector<double> finite_numbers(const Tensor& data) {
  std::vector<double> numbers = data.to_vector();
  numbers.erase(std::remove_if(numbers.begin(), numbers.end(),
                               [](double value) { return !std::isfinite(value); }),
                numbers.end());
  return numbers;
}

bool is_all_zeros(const std::string& text) {
  return text.find_first_of("123456789") == std::string::npos;
}

std::string in_digits(double value, const Digits& digits) {
  if (digits.kind == Digits::Kind::given) return shortest(value);
  if (std::abs(value) >= longest_plain(digits.decimals))
    return number_text(value, 4, std::chars_format::scientific);
  if (digits.kind == Digits::Kind::exponent && value != 0)
    return number_text(value, 3, std::chars_format::scientific);
  std::string text = number_text(value, digits.decimals, std::chars_format::fixed);
  const bool hides = value != 0 && digits.decimals > 0 && is_all_zeros(text);
  return hides ? number_text(value, 1, std::chars_format::scientific) : text;
}

}  // namespace

std::string show(double value, const Digits& digits) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "−∞" : "∞";
  const bool is_nothing = std::abs(value) <= digits.nothing;
  return in_digits(is_nothing ? 0.0 : value, digits);  // and not -0
}

std::string show(double value, int decimals) {
  return show(value, Digits{Digits::Kind::fixed, decimals});
}

Digits digits_of(const Tensor& data) {
  if (data.dtype() == DType::boolean || data.dtype() == DType::int64) return {};
  const std::vector<double> numbers = finite_numbers(data);
  double largest = 0;
  bool whole = true;
  for (const double value : numbers) {
    largest = std::max(largest, std::abs(value));
    whole = whole && std::trunc(value) == value;
  }
  if (whole) return {};
  constexpr double kSmall = 0.01;
  if (largest >= kSmall) return {Digits::Kind::fixed, kDecimals};
  const int decimals = decimals_for_four_digits(largest);
  if (decimals <= kMostDecimals) return {Digits::Kind::fixed, decimals};
  return {Digits::Kind::exponent, kDecimals};
}

Digits digits_of_sums(const Tensor& data) {
  Digits digits = digits_of(data);
  if (digits.decimals == 0) return digits;
  constexpr double kLeft = 1e-14;  // of the largest: what rounding leaves where a sum cancels
  for (const double value : finite_numbers(data)) {
    digits.nothing = std::max(digits.nothing, kLeft * std::abs(value));
  }
  return digits;
}

Digits digits_of_given(const Tensor& data) {
  if (data.dtype() == DType::boolean) return {};
  const std::vector<double> numbers = finite_numbers(data);
  const bool is_short = std::all_of(numbers.begin(), numbers.end(), [](double value) {
    return shortest(std::abs(value)).size() <= kLongestGiven;
  });
  return is_short ? Digits{Digits::Kind::given} : digits_of(data);
}

int shown_decimals(const Tensor& data) { return digits_of(data).decimals; }

bool shows_as_nothing(const Tensor& data, const Digits& digits) {
  const std::vector<double> numbers = finite_numbers(data);
  return std::any_of(numbers.begin(), numbers.end(),
                     [&](double value) { return value != 0 && std::abs(value) <= digits.nothing; });
}

}  // namespace foveal::trace
