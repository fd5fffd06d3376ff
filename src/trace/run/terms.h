#pragma once
// Sums written out with the numbers as they are shown, and redone with these numbers, so that the
// sign before the result is honest: = where the shown operands give the shown result, else ≈.

#include <string>
#include <vector>

namespace foveal::trace {

/// A number and the decimals that it is shown with.
struct Operand {
  double value = 0;
  int decimals = 0;
};

/// The number that show() puts into words: rounded to its decimals.
double as_shown(const Operand& operand);

/// As show(), with parentheses where a sign would run into an operator: "(-2)".
std::string show_in_product(const Operand& operand);

/// Terms joined by " + ". Of more than eight, the first four and the last two are written and the
/// others counted; all are summed.
class Sum {
 public:
  explicit Sum(std::size_t terms) : terms_(terms) {}

  void product(const Operand& a, const Operand& b);
  void number(const Operand& a);
  /// e^a; `shift` is taken off the exponent in the sum (not in the text), against overflow.
  void power(const Operand& a, double shift);

  const std::string& text() const { return text_; }
  double redone() const { return redone_; }

 private:
  /// Counts a term; true where it is to be written.
  bool next(double value);
  void write(const std::string& term);

  std::size_t terms_;
  std::size_t count_ = 0;
  std::string text_;
  double redone_ = 0;
};

/// "2·1 + 1·1 = 3": `text`, the honest sign, and the result as shown.
std::string equation(const std::string& text, double redone, const Operand& result);

}  // namespace foveal::trace
