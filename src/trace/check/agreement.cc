#include "trace/check/agreement.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/filled.h"
#include "core/number_text.h"

namespace foveal::trace {

namespace {

/// The digits of |value| at `decimals`, at least `length` of them.
std::string digits(double value, int decimals, std::size_t length = 0) {
  std::string text = number_text(std::abs(value), decimals, std::chars_format::fixed);
  text.erase(std::remove(text.begin(), text.end(), '.'), text.end());
  if (text.size() < length) text.insert(0, length - text.size(), '0');
  return text;
}

/// Beyond this a double has no more digits to compare.
bool has_digits(double ours, const PrintedNumber& printed) {
  return std::isfinite(ours) && std::isfinite(printed.value) && printed.decimals >= 0 &&
         printed.decimals <= 15 && std::abs(ours) < 1e15 && std::abs(printed.value) < 1e15;
}

}  // namespace

double half_unit(const PrintedNumber& printed) { return 0.5 * std::pow(10.0, -printed.decimals); }

bool agrees(double ours, const PrintedNumber& printed) {
  if (std::isnan(ours) || std::isnan(printed.value)) {
    return std::isnan(ours) && std::isnan(printed.value);
  }
  if (std::isinf(ours) || std::isinf(printed.value)) return ours == printed.value;
  const double size = std::max(1.0, std::abs(ours));
  // A tie such as 0.125 printed as 0.12 agrees; its difference may come out an ulp too large.
  const double ulps = 4 * std::numeric_limits<double>::epsilon() * size;
  return std::abs(ours - printed.value) <= std::max(half_unit(printed) + ulps, 1e-9 * size);
}

bool is_float32_tie(double ours, const PrintedNumber& printed) {
  if (!std::isfinite(ours) || !std::isfinite(printed.value)) return false;
  const double beyond = std::abs(ours - printed.value) - half_unit(printed);
  const double bits = 8 * std::numeric_limits<float>::epsilon() * std::max(1.0, std::abs(ours));
  // Where a float32 has no more digits than are printed, it tells of nothing.
  return beyond <= std::min(bits, 0.2 * half_unit(printed));
}

bool cut_instead_of_rounded(double ours, const PrintedNumber& printed) {
  if (!has_digits(ours, printed) || agrees(ours, printed)) return false;
  const double unit = std::pow(10.0, -printed.decimals);
  const double units = ours / unit;
  // 0.29 is 28.999999999999996 hundredths: nothing was cut there.
  if (std::abs(units - std::round(units)) < 1e-13 * std::max(1.0, std::abs(units))) return false;
  return std::abs(std::trunc(units) - printed.value / unit) < 1e-6;
}

bool two_digits_swapped(double ours, const PrintedNumber& printed) {
  if (!has_digits(ours, printed) || agrees(ours, printed)) return false;
  if (std::signbit(ours) != std::signbit(printed.value)) return false;
  const std::string theirs = digits(printed.value, printed.decimals);
  const std::string right = digits(ours, printed.decimals, theirs.size());
  const std::string wrong = digits(printed.value, printed.decimals, right.size());
  std::vector<std::size_t> different;
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (right[i] != wrong[i]) different.push_back(i);
  }
  return different.size() == 2 && right[different[0]] == wrong[different[1]] &&
         right[different[1]] == wrong[different[0]];
}

}  // namespace foveal::trace
