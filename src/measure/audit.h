#pragma once
// How far results are from float64, beside how far a plain implementation in the same dtype is.

#include <functional>

#include "measure/request.h"

namespace foveal::measure {

struct AuditRow {
  Sizes sizes;
  DType dtype = DType::float32;
  Mask mask;
  std::string target;
  double max_error = 0, rms_error = 0;              ///< of attention(), over all its numbers
  double naive_max_error = 0, naive_rms_error = 0;  ///< of naive_row, each stage rounded
  double bound = 0;                                 ///< what notation.md allows

  bool holds() const { return max_error <= bound; }
};

/// What is audited: shapes, dtypes and masks; the other members are unset.
std::vector<AuditRow> audit_cases();

/// Called before row `index` of `count`.
using AuditBegins = std::function<void(std::size_t index, std::size_t count)>;

/// The cases, measured on `target` (empty: the default).
std::vector<AuditRow> run_audit(const std::string& target, const AuditBegins& begins);

/// Whether every row is within its bound.
bool holds(const std::vector<AuditRow>& rows);

/// foveal.audit/1.
std::string audit_json(const std::vector<AuditRow>& rows);
/// A table of 80 columns.
std::string audit_text(const std::vector<AuditRow>& rows);

}  // namespace foveal::measure
