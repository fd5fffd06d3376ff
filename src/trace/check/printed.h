#pragma once
// The printed numbers of an input, each at its cell.

#include <optional>
#include <string>
#include <vector>

#include "trace/run/record.h"

namespace foveal::trace {

using CellIndex = std::vector<std::int64_t>;  ///< [row, column], or [head, row, column]

struct PlacedNumber {
  CellIndex cell;
  PrintedNumber printed;
};

/// The numbers of one step; cells that are null are left out.
std::vector<PlacedNumber> numbers_of(const Input& input, const ExpectedStep& expected);

/// A printed number held against the record, with what is known of it.
struct Finding {
  StepName step = {};
  CellIndex cell;
  PrintedNumber printed;
  double ours = 0;
  bool agrees = true;
  std::string slip{};  ///< what explains a wrong number, in words; empty where nothing does
  std::string kind{};  ///< its name; "follows"; empty where nothing is said for certain
  std::vector<std::string> also{};  ///< other kinds that explain it
  std::string also_text{};          ///< in words, where no kind is certain
  /// Wrong, but right for a wrong number before it: that one's index among the findings.
  std::optional<std::size_t> source{};
  /// What was meant to be printed, with all its digits, where the slip tells.
  std::optional<double> meant{};

  /// Wrong, and nothing is said of it yet.
  bool is_open() const { return !agrees && slip.empty() && also.empty(); }
};

/// One a printed number of a step; slips are not looked for. Throws Error (kind data) where the
/// record has no such step.
std::vector<Finding> printed_cells(const Record& record, const ExpectedStep& expected);

/// Whether both stand in the same row (and head); the steps are not compared.
bool same_row(const Finding& a, const Finding& b);

}  // namespace foveal::trace
