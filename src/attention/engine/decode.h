#pragma once
// A few queries against many keys: the path of generation token by token.

#include "attention/engine/doubtful_rows.h"
#include "attention/plan/plan_data.h"

namespace foveal {

/// Runs the plan's sequences that are decoded, if there are any, query, key and value as they were
/// given, into `result.output` (of the query's dtype, or of the one that is computed in) and, where
/// defined, `result.lse`. Rows that may be wrong join `doubtful`.
void run_decodes(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value,
                 AttentionResult& result, DoubtfulRows& doubtful);

/// The same into a state.
void run_decodes(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value,
                 AttentionState& state, DoubtfulRows& doubtful);

}  // namespace foveal
