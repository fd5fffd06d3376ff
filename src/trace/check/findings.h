#pragma once
// Every printed number held against the record, with what is known of each wrong one.

#include <optional>
#include <string>
#include <vector>

#include "trace/run/record.h"

namespace foveal::trace {

struct Finding {
  StepName step = {};
  std::vector<std::int64_t> cell;
  PrintedNumber printed;
  double ours = 0;
  bool agrees = true;
  std::string slip;  ///< what explains a wrong number, in words; empty where nothing usual does
  /// Wrong, but right for a wrong number before it: that one's index among the findings.
  std::optional<std::size_t> source;
};

struct Findings {
  std::vector<Finding> all;  ///< in the order of steps, then heads, rows, columns
  /// The record with the slips carried on: what comes out with the wrong numbers as printed.
  Record carried;
};

/// The printed cells of one step, those that are null left out; slips are not looked for. Throws
/// Error (kind data) where the record has no such step.
std::vector<Finding> printed_cells(const Record& record, const ExpectedStep& expected);

/// Whether both stand in the same row (and head); the steps are not compared.
bool same_row(const Finding& a, const Finding& b);

/// Our number, with enough decimals to differ from the printed one.
std::string shown_beside(const Finding& cell);

/// "K_sat is [1, 1], not [0, 1]": the row of queries, keys or values that `cell` is in.
/// Of a long row, or one that is printed in part, the cell alone.
std::string misreading(const Input& input, const std::vector<Finding>& findings,
                       const Finding& cell);

/// Throws Error (kind data) where nothing is printed, or a printed step isn't in the record.
Findings find_slips(const Record& record);

}  // namespace foveal::trace
