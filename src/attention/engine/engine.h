#pragma once
// What the public functions call.

#include "attention/plan/plan_data.h"

namespace foveal {

/// Runs a plan on tensors of its shapes and dtype, both passes where there are two. Throws Error
/// where strict mode refuses the tensors' strides.
AttentionResult run_plan(const PlanData& plan, const Tensor& query, const Tensor& key,
                         const Tensor& value);

/// The gradients that the plan's options ask for; `result` has the output and lse.
AttentionGradients run_backward(const PlanData& plan, const Tensor& grad_output,
                                const Tensor& query, const Tensor& key, const Tensor& value,
                                const AttentionResult& result);

/// The first pass: output, and lse where it is asked for or needed.
AttentionResult run_forward(const PlanData& plan, const Tensor& query, const Tensor& key,
                            const Tensor& value);

/// The same for bfloat16 by products of bfloat16, where PlanData::half_products() holds.
AttentionResult run_half_forward(const PlanData& plan, const Tensor& query, const Tensor& key,
                                 const Tensor& value);

/// The same for 16 bits by products of float32, where PlanData::widens_rows() holds.
AttentionResult run_wide_forward(const PlanData& plan, const Tensor& query, const Tensor& key,
                                 const Tensor& value);

/// Throws Error where one is undefined, or the dtypes differ.
void check_dtypes(const Tensor& query, const Tensor& key, const Tensor& value);

/// The second pass: scores once more, each tile against its rows' lse, so that they become P; adds
/// weights, column mass and rows in full to `result` where they are asked for. Bits don't depend on
/// the number of threads.
void add_statistics(const PlanData& plan, const Tensor& query, const Tensor& key,
                    const Tensor& value, AttentionResult& result);

/// The state of a forward pass before the division.
AttentionState run_state(const PlanData& plan, const Tensor& query, const Tensor& key,
                         const Tensor& value);

}  // namespace foveal
