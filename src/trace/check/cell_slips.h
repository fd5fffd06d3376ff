#pragma once
// Slips that one number shows alone: of the pen (two digits swapped), or in its own arithmetic (a
// term lost, an operand misread).

#include "trace/check/carried.h"

namespace foveal::trace {

/// A kind that gives the printed number, and how many were tried until it was found.
struct CellSlip {
  std::string kind, text;
  std::size_t tried = 0;
  double value = 0;  ///< what was meant to be printed, with all its digits
};

/// What a cell should have been: in both readings, and as an interval where numbers are uncertain.
struct Wanted {
  double exact = 0, printed = 0;
  std::optional<Interval> range{};
};

/// `number` with two digits beside each other exchanged, in every way that changes it.
std::vector<std::string> swapped_digits(std::string number);

/// Slips of the pen: cut, sign, decimal point, swapped digits. The more usual first.
std::vector<CellSlip> pen_slips(const Wanted& wanted, const PrintedNumber& printed);

/// What a cell comes out as with one slip in its arithmetic.
struct Alternative {
  std::string kind, text;
  double value = 0;
};

/// A lost term or sign, an operand misread, the cell beside it; the more usual first. `data`: the
/// numbers of the step without the slip.
std::vector<Alternative> alternatives_of(const Input& input, const Steps& before,
                                         const Tensor& data, StepName step, const CellIndex& cell);

}  // namespace foveal::trace
