#pragma once
// When a printed number agrees with ours, and two slips of the pen that one number shows alone.

#include "trace/input/input.h"

namespace foveal::trace {

/// Half a unit of the last printed place.
double half_unit(const PrintedNumber& printed);

/// |ours - printed| <= max(half_unit, 1e-9 max(1, |ours|)). Infinities and NaN agree with
/// themselves alone.
bool agrees(double ours, const PrintedNumber& printed);

/// Off by so little that a float32 may round the other way: what is beyond half a unit is within a
/// few of float32's last bits.
bool is_float32_tie(double ours, const PrintedNumber& printed);

/// Digits were dropped: `printed` is `ours` cut at its decimals, and rounding gives another number.
bool cut_instead_of_rounded(double ours, const PrintedNumber& printed);

/// `printed` is `ours`, rounded to its decimals, with two digits exchanged.
bool two_digits_swapped(double ours, const PrintedNumber& printed);

}  // namespace foveal::trace
