#include <algorithm>
#include <cmath>

#include "core/ascii.h"
#include "core/filled.h"
#include "core/number_text.h"
#include "trace/check/agreement.h"
#include "trace/check/cell_slips.h"
#include "trace/input/decimal.h"

namespace foveal::trace {
namespace {

/// A number at the decimals it was printed with.
std::string at_decimals(double value, const PrintedNumber& printed) {
  return number_text(value, std::max(printed.decimals, 0), std::chars_format::fixed);
}

/// "0.24473 rounds to 0.2447", with as many digits as it takes to see what was cut.
std::string cut_text(double right, const PrintedNumber& printed) {
  const int decimals = std::max(printed.decimals, 0);
  const std::string cut = at_decimals(printed.value, printed);
  std::string shown;
  for (int more = 2; more < 9 && shown.compare(0, cut.size(), cut) != 0; ++more) {
    shown = number_text(right, decimals + more, std::chars_format::fixed);
  }
  return filled("cut instead of rounded: {} rounds to {}", shown, at_decimals(right, printed));
}

constexpr std::size_t kDigitPairs = 10;  ///< of a printed number, about

/// Tries one slip after the other.
class Pen {
 public:
  Pen(const Wanted& wanted, const PrintedNumber& printed) : wanted_(wanted), printed_(printed) {}

  std::vector<CellSlip> find() {
    for (const double value : values()) cut(value);
    for (const double value : values()) sign(value);
    for (const int places : {-1, 1, -2, 2}) point(places);
    for (const double value : values()) digits(value);
    digits_in_range();
    return std::move(found_);
  }

 private:
  std::vector<double> values() const {
    if (wanted_.exact == wanted_.printed) return {wanted_.exact};
    return {wanted_.exact, wanted_.printed};
  }

  void add(const std::string& kind, const std::string& text, double value) {
    const auto known = [&kind](const CellSlip& one) { return one.kind == kind; };
    if (std::any_of(found_.begin(), found_.end(), known)) return;
    found_.push_back({kind, text, tried_, value});
  }

  void cut(double value) {
    ++tried_;
    // Where numbers are uncertain, the last digit is no sign of a slip.
    if (wanted_.range || !cut_instead_of_rounded(value, printed_)) return;
    add("cut", cut_text(value, printed_), value);
  }

  void sign(double value) {
    ++tried_;
    if (value == 0 || !agrees_or_in_range(-value, -1)) return;
    add("sign_lost",
        filled("the sign is lost: {} became {}", at_decimals(value, printed_), printed_.text),
        -value);
  }

  void point(int places) {
    ++tried_;
    const double factor = std::pow(10.0, places);
    if (printed_.value == 0 || !agrees_or_in_range(wanted_.exact * factor, factor)) return;
    add("decimal_point",
        filled("the decimal point is off by {} place{}: {} became {}", std::abs(places),
               std::abs(places) == 1 ? "" : "s", at_decimals(wanted_.exact, printed_),
               printed_.text),
        wanted_.exact * factor);
  }

  /// `value` is what is wanted, times `factor`.
  bool agrees_or_in_range(double value, double factor) const {
    if (agrees(value, printed_)) return true;
    // An interval that is wide beside its number says nothing of where its point stands.
    if (!wanted_.range || wanted_.range->radius > 0.02 * std::abs(wanted_.range->centre))
      return false;
    return meet({wanted_.range->centre * factor, wanted_.range->radius * std::abs(factor)},
                {printed_.value, half_unit(printed_)});
  }

  void digits(double value) {
    tried_ += kDigitPairs;
    if (!two_digits_swapped(value, printed_)) return;
    add("digits_swapped",
        filled("two digits swapped: {} became {}", at_decimals(value, printed_), printed_.text),
        printed_.value);
  }

  /// Any two digits of the printed number, swapped back, give what is wanted.
  void digits_in_range() {
    if (!wanted_.range) return;
    std::string text = printed_.text;
    for (std::size_t i = 0; i < text.size(); ++i) {
      for (std::size_t j = i + 1; j < text.size(); ++j) {
        if (!is_digit(text[i]) || !is_digit(text[j]) || text[i] == text[j]) continue;
        std::swap(text[i], text[j]);
        ++tried_;
        const std::optional<double> back = number_in(text);
        if (back && meet(*wanted_.range, {*back, half_unit(printed_)})) {
          add("digits_swapped", filled("two digits swapped: {} became {}", text, printed_.text),
              printed_.value);
        }
        std::swap(text[i], text[j]);
      }
    }
  }

  const Wanted& wanted_;
  const PrintedNumber& printed_;
  std::size_t tried_ = 0;
  std::vector<CellSlip> found_;
};

}  // namespace

std::vector<std::string> swapped_digits(std::string number) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i + 1 < number.size(); ++i) {
    const std::size_t j = number[i + 1] == '.' ? i + 2 : i + 1;
    if (j >= number.size() || !is_digit(number[i]) || number[i] == number[j]) continue;
    std::swap(number[i], number[j]);
    all.push_back(number);
    std::swap(number[i], number[j]);
  }
  return all;
}

std::vector<CellSlip> pen_slips(const Wanted& wanted, const PrintedNumber& printed) {
  if (!std::isfinite(wanted.exact) || !std::isfinite(printed.value)) return {};
  return Pen(wanted, printed).find();
}

}  // namespace foveal::trace
