// foveal_attention, its backward, and states.

#include "attention/engine/engine.h"
#include "c/inputs.h"
#include "c/options.h"
#include "c/results.h"
#include "c/status.h"
#include "c/tensors.h"
#include "foveal/plan.h"

namespace foveal::c {
namespace {

Plan plan_for(const Inputs& inputs, const AttentionOptions& options) {
  return plan_attention(inputs.query.shape(), inputs.key.shape(), inputs.value.shape(),
                        inputs.query.dtype(), options);
}

AttentionState written_state(const foveal_partial* given, const char* name, const char* function) {
  const auto written = [&](const foveal_tensor* tensor, const char* part) {
    const std::string place = std::string(name) + "->" + part;
    form_of(tensor, {function, place.c_str()});
    return written_if_given(tensor, {function, place.c_str()});
  };
  if (given == nullptr) {
    refuse(function, std::string(name) + " is NULL: say where its tensors are");
  }
  return {written(given->output, "output"), written(given->maximum, "maximum"),
          written(given->sum, "sum")};
}

}  // namespace
}  // namespace foveal::c

// Functions of C stand outside namespaces.
using namespace foveal;     // NOLINT(google-build-using-namespace)
using namespace foveal::c;  // NOLINT(google-build-using-namespace)

int32_t foveal_attention(const foveal_tensor* query, const foveal_tensor* key,
                         const foveal_tensor* value, const foveal_options* options,
                         foveal_result* result) {
  return guarded([&] {
    constexpr auto kFunction = "foveal_attention";
    const Inputs inputs(query, key, value, kFunction);
    const CallOptions call(options, kFunction, false);
    WantedResult wanted(result, call, kFunction);
    const Plan plan = plan_for(inputs, options_for(call, wanted.asked));
    run_plan(plan.data(), inputs.all(), wanted.result, kFunction);
    give_fingerprint(wanted.result.plan, *result);
  });
}

int32_t foveal_attention_backward(const foveal_tensor* grad_output, const foveal_tensor* query,
                                  const foveal_tensor* key, const foveal_tensor* value,
                                  const foveal_result* result, const foveal_options* options,
                                  foveal_gradients* gradients) {
  return guarded([&] {
    constexpr auto kFunction = "foveal_attention_backward";
    const Tensor gradient = read_tensor(grad_output, {kFunction, "grad_output"});
    const Inputs inputs(query, key, value, kFunction);
    const AttentionResult given = given_result(result, kFunction);
    const CallOptions call(options, kFunction, false);
    WantedGradients wanted(gradients, kFunction);
    const Plan plan = plan_for(inputs, options_for(call, wanted.asked));
    run_backward(plan.data(), gradient, inputs.all(), given, wanted.gradients, wanted.add,
                 kFunction);
  });
}

int32_t foveal_state(const foveal_tensor* query, const foveal_tensor* key,
                     const foveal_tensor* value, const foveal_options* options,
                     foveal_partial* state) {
  return guarded([&] {
    constexpr auto kFunction = "foveal_state";
    const Inputs inputs(query, key, value, kFunction);
    const CallOptions call(options, kFunction, false);
    AttentionState into = written_state(state, "state", kFunction);
    run_state(plan_for(inputs, call.attention()).data(), inputs.all(), into, kFunction);
  });
}

int32_t foveal_state_merge(foveal_partial* a, const foveal_partial* b) {
  return guarded([&] {
    constexpr auto kFunction = "foveal_state_merge";
    AttentionState into = written_state(a, "a", kFunction);
    run_merge(into, written_state(b, "b", kFunction), kFunction);
  });
}

int32_t foveal_state_finish(const foveal_partial* state, foveal_result* result) {
  return guarded([&] {
    constexpr auto kFunction = "foveal_state_finish";
    AttentionResult into = finished_result(result, kFunction);
    run_finish(written_state(state, "state", kFunction), into, kFunction);
    give_fingerprint({}, *result);
  });
}
