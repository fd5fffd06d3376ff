#pragma once
// Printed numbers held against a record, and the likely slip behind a wrong one.

#include "trace/run/record.h"

namespace foveal::trace {

/// True where `expected` holds a number to check.
bool has_printed_numbers(const Input& input);

/// True where every printed number agrees with the record.
bool all_printed_agree(const Record& record);

/// One Check for every printed cell of record.input.expected, in the order of steps, then rows.
/// docs/check.md tells the tolerance, the recomputation from the printed step before, the slips.
/// Throws Error (kind data) where there is nothing to check.
std::vector<Check> check(const Record& record);

/// The report of `foveal check` as text: the first wrong cell, its arithmetic and slip; what
/// follows from it; printed beside corrected.
std::string check_text(const Record& record);

/// foveal.check/1.
std::string check_json(const Record& record);

/// Scores, weights and context of the followed row as the example should have them: unscaled and
/// scaled by 1/sqrt(D).
std::vector<Corrected> corrected(const Input& input, std::int64_t followed);

}  // namespace foveal::trace
