#pragma once
// A few queries against many keys: the path of generation token by token.

#include "attention/engine/doubtful_rows.h"
#include "attention/plan/plan_data.h"

namespace foveal {

/// Runs the plan's sequences that are decoded, query, key and value as they were given, into
/// `output` and, where defined, `lse`: both dense, (B, H, L_q, D_v) and (B, H, L_q), float32
/// (float64 for float64). Rows that may be wrong join `doubtful`.
void run_decodes(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value,
                 Tensor& output, Tensor& lse, DoubtfulRows& doubtful);

}  // namespace foveal
