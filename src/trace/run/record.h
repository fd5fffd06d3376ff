#pragma once
// The record of one run: every step with its numbers, in float64. Each view (text, JSON, CSV, SVG,
// HTML) shows a record; none computes attention again.

#include <optional>
#include <string>
#include <vector>

#include "foveal/tensor.h"
#include "trace/input/input.h"
#include "trace/run/numbers.h"

namespace foveal::trace {

struct Step {
  StepName name = {};
  std::string title;              ///< for people: "Queries", "Scaled scores"
  std::string formula;            ///< in letters: "Q = X W_query"
  std::vector<std::string> axes;  ///< one a dimension: "head", "token", "query", "key", "feature"
  Tensor data;                    ///< float64; bool for mask
  std::string note;               ///< empty, or what a learner should know of this step
  Digits digits{};                ///< how the numbers are shown
};

/// One printed number held against ours.
struct Check {
  StepName step = {};
  std::vector<std::int64_t> cell;  ///< [row, column], or [head, row, column]
  std::string printed;
  double ours = 0;
  std::string arithmetic;                  ///< "2·1 + 1·1 = 3"
  std::optional<std::string> slip;         ///< the likely slip, in words
  std::optional<std::string> slip_kind;    ///< its name in docs/check.md; "follows" where the
                                           ///< number is right for a wrong one before it
  std::vector<std::string> also_possible;  ///< other kinds that explain the step's printed cells
  bool agrees = true;
};

/// Scores, weights and context of the followed row, under another scale: `corrected` of the trace.
struct Corrected {
  std::string name;  ///< "unscaled" or "scaled"
  Tensor scores, weights, context;
};

struct Record {
  Input input;
  std::vector<Step> steps;
  std::int64_t followed = 0;         ///< the query whose row is followed
  std::vector<Check> checks;         ///< empty without `expected`
  std::vector<Corrected> corrected;  ///< of the built-in worked example alone
};

/// Runs attention on `input`, step by step. `followed` is 0 .. L-1; without it the last row under a
/// causal mask, since the first sees itself alone, else the first. Doesn't fill checks or
/// corrected.
Record run(const Input& input, std::optional<std::int64_t> followed = {});

/// Whether each query sees itself and what stands before it, and nothing else, however the mask is
/// written: as text, as an expression or as rows.
bool is_causal(const Record& record);

/// The step of that name, or null where the run has none.
const Step* find_step(const Record& record, StepName name);

}  // namespace foveal::trace
