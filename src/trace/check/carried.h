#pragma once
// What the one who printed the numbers may have had at each step, as far as the printed numbers
// tell: each step is computed from those before it, in two readings, and as intervals.

#include <array>

#include "trace/check/printed.h"
#include "trace/check/slips/list.h"

namespace foveal::trace {

/// A number, and how far from it the true one may be.
struct Interval {
  double centre = 0, radius = 0;
};
/// What a printed number may have been before it was rounded, or cut.
Interval interval_of(const PrintedNumber& printed);
bool meet(const Interval& a, const Interval& b);

/// A step as intervals.
struct Range {
  Tensor centre, radius;  ///< an undefined radius: 0
  Interval at(const std::vector<std::int64_t>& cell) const;
};

/// How numbers were carried from step to step.
enum class Reading {
  exact,    ///< with every digit, as a computer does
  printed,  ///< as they are printed, as a hand does
};

class Carried {
 public:
  /// `cells`: every printed number. Both must outlive this.
  Carried(const Record& record, const PerStep<std::vector<Finding>>& cells);

  /// The steps that are settled.
  const Steps& steps(Reading reading) const { return steps_[static_cast<std::size_t>(reading)]; }
  const Recipe& recipe() const { return recipe_; }

  /// `step` as it comes out of those before it.
  Tensor next(StepName step, Reading reading) const { return recipe_[step](steps(reading)); }
  Range range(StepName step) const { return range(step, recipe_[step]); }
  /// The same by another rule.
  Range range(StepName step, const Rule& rule) const;

  /// Whether every printed number of the steps from slip.step to `step` comes out of the slip, in
  /// one reading or the other, and one that is open does not without it.
  enum class Outcome {
    contradicted,  ///< a settled step is against it
    differs,       ///< it could be, but gives other numbers, or the same as without it
    explains
  };
  Outcome attempt(const Slip& slip, StepName step) const;
  bool fits(const Slip& slip, StepName step) const {
    return attempt(slip, step) == Outcome::explains;
  }
  /// Whether those of all steps do.
  bool fits_all(const Slip& slip) const { return fits(slip, StepName::output); }

  /// Whether every wrong number after `step` is cut instead of rounded.
  bool are_cut_after(StepName step) const;
  /// Whether the slip makes a printed weight wrong; where none is printed, whether it moves one by
  /// more than `unseen`.
  bool shows_in_weights(const Slip& slip, double unseen) const;

  /// Takes the slip as made: settled steps are computed again.
  void plant(const Slip& slip);
  /// Takes a step as it is printed: a number that comes out of a reading is that with all its
  /// digits; another is what is printed.
  void settle(StepName step);

  /// True where every number so far is known with all its digits.
  bool is_exact() const { return exact_; }
  bool is_printed(StepName step) const { return !cells_[step].empty(); }
  /// Says that a slip was planted whose numbers aren't known to their last digit.
  void doubt() { exact_ = false; }

 private:
  /// Both readings of a step, with the printed numbers put in their places.
  void put(StepName step, std::array<Tensor, 2> data, std::array<Steps, 2>* steps) const;
  void settle_range(StepName step, const Tensor& by_hand);
  bool holds_every_digit(StepName step) const;
  /// What the printed numbers of a step say of a slip that makes it `data`; nothing where they come
  /// out of it and would without it.
  std::optional<Outcome> judge(StepName step, const std::array<Tensor, 2>& data) const;
  /// Whether all before the step are settled.
  bool is_next(StepName step) const;

  const Record& record_;
  const PerStep<std::vector<Finding>>& cells_;
  Recipe recipe_;
  std::array<Steps, 2> steps_;
  PerStep<Tensor> raw_;  ///< as next() gave it, exact
  PerStep<Range> ranges_;
  PerStep<bool> settled_;
  bool exact_ = true;
};

}  // namespace foveal::trace
