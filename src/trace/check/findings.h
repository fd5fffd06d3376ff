#pragma once
// Every printed number held against the record, and what explains the wrong ones.

#include "trace/check/printed.h"

namespace foveal::trace {

struct Findings {
  std::vector<Finding> all;  ///< in the order of steps, then heads, rows, columns
  /// The record with the slips carried on: what comes out with the wrong numbers as printed.
  Record carried;
};

/// True where no number is wrong; a remark is not.
bool all_agree(const std::vector<Finding>& cells);

/// Throws Error (kind data) where nothing is printed, or a printed step isn't in the record.
Findings find_slips(const Record& record);

/// Our number, with enough decimals to differ from the printed one.
std::string shown_beside(const Finding& cell);

/// "K_sat is [1, 1], not [0, 1]": the row of queries, keys or values that `cell` is in.
/// Of a long row, or one that is printed in part, the cell alone.
std::string misreading(const Input& input, const std::vector<Finding>& findings,
                       const Finding& cell);

}  // namespace foveal::trace
