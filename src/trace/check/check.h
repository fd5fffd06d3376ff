#pragma once
// Printed numbers held against a record, and the likely slip behind a wrong one.

#include "trace/check/findings.h"

namespace foveal::trace {

/// True where `expected` holds a number to check.
bool has_printed_numbers(const Input& input);

/// One Check for every printed cell of record.input.expected, in the order of steps, then rows.
/// docs/check.md tells the tolerance, the recomputation from the printed step before, the slips.
/// Throws Error (kind data) where there is nothing to check.
std::vector<Check> check(const Record& record);
/// The same of what find_slips(record) has found.
std::vector<Check> checks_of(const Record& record, const Findings& findings);

/// The report of `foveal check` as text: the first wrong cell, its arithmetic and slip; what
/// follows from it; printed beside corrected.
std::string check_text(const Record& record, const Findings& findings);

/// An entry of `checks`, in foveal.trace/1 and foveal.check/1 alike.
std::string check_entry(const Check& check);

/// foveal.check/1.
std::string check_json(const Record& record, const Findings& findings);

/// The input run with another scale.
Record with_scale(const Input& input, Scale::Kind kind, std::int64_t followed);

/// Scores, weights and context of the followed row as the example should have them: unscaled and
/// scaled by 1/sqrt(D).
std::vector<Corrected> corrected(const Input& input, std::int64_t followed);

}  // namespace foveal::trace
