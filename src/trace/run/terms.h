#pragma once
// Sums written out with the numbers as they are shown, and redone with these numbers, so that the
// sign before the result is honest: = where the shown operands give the shown result, else ≈.

#include <optional>
#include <string>
#include <vector>

#include "trace/run/numbers.h"

namespace foveal::trace {

/// A number and how it is shown.
struct Operand {
  double value = 0;
  Digits digits;
};

std::string show(const Operand& operand);

/// The number that show() puts into words: rounded as shown.
double as_shown(const Operand& operand);

/// As show(), with parentheses where a sign would run into an operator: "(-2)".
std::string show_in_product(const Operand& operand);

/// Which terms of a long sum are written.
enum class Terms {
  largest,  ///< of more than eight the six largest, in order; of the others count and sum
  all,
};

/// "e^3", or "e^(3 − 5)" where `shift` is taken off.
std::string power_text(const Operand& exponent, const std::optional<Operand>& shift);
/// Its value, with the numbers as shown.
double power_value(const Operand& exponent, const std::optional<Operand>& shift);

/// Terms joined by " + ".
class Sum {
 public:
  void product(const Operand& a, const Operand& b);
  void number(const Operand& a);
  void power(const Operand& exponent, const std::optional<Operand>& shift);

  struct Written {
    std::string text;
    double redone = 0;  ///< the sum of what is written
  };
  Written write(Terms terms) const;

 private:
  struct Term {
    double value;  ///< of the numbers as shown
    Operand a;
    std::optional<Operand> b{};  ///< the other factor, or what is taken off an exponent
    bool is_power = false;
  };
  static std::string text(const Term& term);
  std::vector<bool> written_terms(Terms terms) const;

  std::vector<Term> terms_;
};

/// "2·1 + 1·1 = 3": `text`, the honest sign, and the result as shown.
std::string equation(const std::string& text, double redone, const Operand& result);

}  // namespace foveal::trace
