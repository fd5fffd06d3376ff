#pragma once
// How numbers are shown: the same in every view, and one choice for a whole matrix.

#include <string>

#include "foveal/tensor.h"

namespace foveal::trace {

/// How the numbers of one matrix are written.
struct Digits {
  enum class Kind {
    given,     ///< the shortest text that reads back to the same number
    fixed,     ///< with `decimals`; what would show as 0 and isn't has two digits: 1.2e-09
    exponent,  ///< a matrix that is small as a whole: 1.234e-09
  };
  Kind kind = Kind::fixed;
  int decimals = 0;
  /// What is no larger shows as 0: sums that cancel leave such numbers.
  double nothing = 0;
};

/// A number as every view shows it; -inf as "−∞", NaN as "NaN".
std::string show(double value, const Digits& digits);
/// With so many decimals, and what would show as 0 with two digits.
std::string show(double value, int decimals);

/// Of computed numbers: none where every finite one is an integer, else 4 decimals, and more where
/// all are small.
Digits digits_of(const Tensor& data);
/// Of sums of products: a number below 1e-14 of the largest shows as 0.
Digits digits_of_sums(const Tensor& data);
/// Of numbers from the input: as they were given, unless they are too long for a table.
Digits digits_of_given(const Tensor& data);

/// The decimals of digits_of(data).
int shown_decimals(const Tensor& data);

/// Whether a number of `data` that isn't 0 shows as 0.
bool shows_as_nothing(const Tensor& data, const Digits& digits);

}  // namespace foveal::trace
