#pragma once
// What one call of the engine says to all that it runs.

#include "attention/plan/plan_data.h"
#include "core/call_scope.h"
#include "core/thread_memory.h"
#include "tensor/recording.h"

namespace foveal {

/// The threads, the stop and the memory of one call. Nothing in it is recorded.
class RunScope {
 public:
  explicit RunScope(const PlanData& plan)
      : call_(plan.options.threads, plan.options.stop, plan.options.stop_user) {}

 private:
  CallScope call_;
  ThreadMemoryScope memory_;
  Unrecorded unrecorded_;
};

}  // namespace foveal
