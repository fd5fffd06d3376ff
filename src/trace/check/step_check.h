#pragma once
// The wrong numbers of one printed step, and what explains them.

#include <optional>
#include <string>
#include <vector>

#include "trace/check/findings.h"
#include "trace/check/slips.h"

namespace foveal::trace {

/// A run that later steps may have been computed from: a recipe, and numbers put in by hand.
struct Base {
  ChangedRun recipe;
  std::vector<Substitution> substitutions;
};

/// Each name_ function looks at the wrong numbers that have no explanation yet. It names one only
/// where every printed number of the row, or of the step, comes out as printed.
class StepCheck {
 public:
  /// `before` are the findings of earlier steps. All arguments must outlive the check.
  StepCheck(const Record& record, const std::vector<Finding>& before, std::vector<Finding>& cells);

  /// Digits cut instead of rounded, where that alone explains all wrong numbers.
  void name_cuts();
  /// Rows that come out of `carried`, what earlier slips make of this step. `slack` (or undefined)
  /// is how far the rounding of printed numbers may have moved each cell.
  void name_following(const Tensor& carried, const Tensor& slack);
  /// A usual slip, made in `base`. Returns the one that explains the whole step, if any does.
  std::optional<Slip> name_usual(const Base& base, const std::string& remark);
  /// Slips that one number shows alone, beside the others of its row. `right` is the step without
  /// them.
  void name_single(const Tensor& right);
  /// Rows that come out of `rounded`, computed from the numbers printed before.
  void name_rounding(const Tensor& rounded);

  /// Wrong numbers that later steps may have been computed from.
  const std::vector<Substitution>& roots();

 private:
  using Row = std::vector<Finding*>;

  bool is_open(const Finding& cell) const { return !cell.agrees && cell.slip.empty(); }
  bool is_open(const Row& row) const;
  bool has_open() const;
  std::optional<std::size_t> source(const Finding& cell) const;
  bool row_follows(const Row& row, const Tensor& carried, const Tensor& slack) const;
  /// Whether `cells` come out of `data`, too many of them for a chance hit among `candidates`.
  bool explains(const Tensor& data, const std::vector<Finding*>& cells, std::size_t candidates,
                double surplus) const;
  void name_neighbour_row(const Row& row, const Tensor& data, const std::string& remark);
  void name_neighbour_key(Finding& cell, const Tensor& data);
  void name_row(const Row& row, const std::string& slip, const Tensor& data);

  const Record& record_;
  const std::vector<Finding>& before_;
  std::vector<Finding>& cells_;
  StepName step_ = {};
  std::vector<Row> rows_;
  double span_ = 0;  ///< between the smallest and the largest number of the step
  std::vector<Substitution> roots_;
};

}  // namespace foveal::trace
