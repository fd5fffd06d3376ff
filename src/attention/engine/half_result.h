#pragma once
// Results of 16 bits: what the paths that read such tensors where they lie have in common.

#include "attention/engine/doubtful_rows.h"

namespace foveal {

/// Memory for output, of the query's dtype, and for lse where it is asked for or needed.
AttentionResult make_half_result(const PlanData& plan);

/// Runs the sequences that are decoded, if there are any: their output is float32, and is rounded
/// into the result's.
void round_decodes(const PlanData& plan, const Tensor& query, const Tensor& key,
                   const Tensor& value, AttentionResult& result, DoubtfulRows& doubtful);

}  // namespace foveal
