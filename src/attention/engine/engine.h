#pragma once
// What the public functions call.

#include "attention/engine/results.h"

namespace foveal {

/// Runs a plan on tensors of its shapes and dtype, both passes where there are two, into what
/// `result` holds; what is asked for and isn't there is made. `function` stands in errors. Throws
/// Error where strict mode refuses the tensors' strides, and as prepare_results does.
void run_plan(const PlanData& plan, const CallInputs& inputs, AttentionResult& result,
              const char* function);

/// The gradients that the plan's options ask for, into what `gradients` holds, or, with `add`,
/// added to it; what is undefined is made. `result` has the output and lse. Throws Error as
/// check_backward does.
void run_backward(const PlanData& plan, const Tensor& grad_output, const CallInputs& inputs,
                  const AttentionResult& result, AttentionGradients& gradients, bool add,
                  const char* function);

/// The state of a forward pass before the division, into what `state` holds; what is undefined is
/// made. Throws Error where weights or statistics are asked for, and where a tensor that is given
/// doesn't fit.
void run_state(const PlanData& plan, const CallInputs& inputs, AttentionState& state,
               const char* function);

/// The state divided, into what `result` holds; what is undefined is made, in the state's dtype.
/// Throws Error as finish_into does.
void run_finish(const AttentionState& state, AttentionResult& result, const char* function);

/// merge_into.
void run_merge(AttentionState& a, const AttentionState& b, const char* function);

/// Throws Error where a tensor has another shape or dtype than the plan's.
void check_inputs(const PlanData& plan, const CallInputs& inputs, const char* function);

/// The first pass, into what prepare_results has made or checked.
void run_forward(const PlanData& plan, const CallInputs& inputs, AttentionResult& result);

/// The same for bfloat16 by products of bfloat16, where PlanData::pair_products() holds.
void run_pair_forward(const PlanData& plan, const CallInputs& inputs, AttentionResult& result);

/// The same for 16 bits by products of float32, where PlanData::widens_rows() holds.
void run_wide_forward(const PlanData& plan, const CallInputs& inputs, AttentionResult& result);

/// Throws Error where one is undefined, or the dtypes differ.
void check_dtypes(const Tensor& query, const Tensor& key, const Tensor& value);

/// The second pass: scores once more, each tile against its rows' lse, so that they become P; adds
/// weights, column mass and rows in full to `result` where they are asked for. Bits don't depend on
/// the number of threads.
void add_statistics(const PlanData& plan, const CallInputs& inputs, AttentionResult& result);

/// That result and gradients fit the plan, before any work.
void check_backward(const PlanData& plan, const Tensor& grad_output, const CallInputs& inputs,
                    const AttentionResult& result, const AttentionGradients& gradients,
                    const char* function);

/// run_backward, once all has been checked.
void compute_gradients(const PlanData& plan, const Tensor& grad_output, const CallInputs& inputs,
                       const AttentionResult& result, AttentionGradients& gradients, bool add);

/// run_state, but for what doesn't go with a state.
void compute_state(const PlanData& plan, const CallInputs& inputs, AttentionState& state,
                   const char* function);

}  // namespace foveal
