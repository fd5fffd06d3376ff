#pragma once
// What of a plan a backward must have in common with the forward whose result it is given.

#include "attention/plan/plan_data.h"

namespace foveal {

/// Equal for plans of equal shapes and options; of tensors' numbers only the masks' count. What
/// doesn't change gradients (target, threads, what is returned) is left out.
PlanFingerprint fingerprint_of(const PlanData& plan);

/// Throws Error where the result comes from a plan with other options, naming which differ. One put
/// together by hand has no fingerprint, and passes.
void check_fingerprint(const PlanData& plan, const AttentionResult& result, const char* function);

}  // namespace foveal
