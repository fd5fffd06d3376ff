#pragma once
// Where one cell's number comes from: the formula, the numbers in it, and the cells they stand in.

#include <string>
#include <vector>

#include "trace/run/numbers.h"
#include "trace/run/record.h"
#include "trace/run/terms.h"

namespace foveal::trace {

/// A cell that another one is made from: of a step ("queries"), or of an input ("W_query",
/// "b_out").
struct Source {
  std::string matrix;
  std::vector<std::int64_t> cell;
};

struct Arithmetic {
  std::string letters;          ///< "scores[0,2] = Σ_d Q[0,d] · K[2,d]"
  std::string numbers;          ///< "2·1 + 1·1 = 3", with ≈ where the shown operands, rounded as
                                ///< shown, do not give the shown result
  std::vector<Source> sources;  ///< the cells directly before it
};

/// Arithmetic of `cell` of `step` ([row, column], or [head, row, column] where the step has a head
/// axis). Throws Error (kind data) for a step or cell that isn't there, naming what is.
Arithmetic arithmetic(const Record& record, StepName step, const std::vector<std::int64_t>& cell,
                      Terms terms = Terms::largest);

/// A cell of a step.
struct StepCell {
  StepName step = {};
  std::vector<std::int64_t> at;
};

/// "weights[0,2]", "P[0,2]" or "attn_weights[0,2]" -> step and cell. Throws Error: kind usage where
/// it doesn't parse, kind data where the record has no such step.
StepCell parse_cell(const Record& record, const std::string& text);

}  // namespace foveal::trace
