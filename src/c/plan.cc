// foveal_plan: a plan for each set of results that its runs ask for, made as it is first asked for.

#include <atomic>
#include <memory>

#include "attention/engine/engine.h"
#include "c/inputs.h"
#include "c/options.h"
#include "c/results.h"
#include "c/status.h"
#include "c/tensors.h"
#include "c/text.h"
#include "foveal/plan.h"

namespace foveal::c {
namespace {

/// Of one call's tensors. Throws Error where they don't go together.
struct Forms {
  Form query, key, value;

  Forms(const foveal_tensor* q, const foveal_tensor* k, const foveal_tensor* v,
        const char* function)
      : query(form_of(q, {function, "query"})),
        key(form_of(k, {function, "key"})),
        value(form_of(v, {function, "value"})) {
    for (const auto& [form, name] : {std::pair(&key, "key"), std::pair(&value, "value")}) {
      if (form->dtype == query.dtype) continue;
      throw Error(std::string(function) + ": " + name + " has dtype " + to_string(form->dtype) +
                  " but query has " + to_string(query.dtype) + ": they must match");
    }
  }
};

struct Variant {
  Asked asked;
  std::shared_ptr<const PlanData> plan;
  const Variant* next;
};

}  // namespace
}  // namespace foveal::c

// Functions of C stand outside namespaces.
using namespace foveal;     // NOLINT(google-build-using-namespace)
using namespace foveal::c;  // NOLINT(google-build-using-namespace)

// A list that only grows, at its head: readers take no lock, which a fork could leave taken.
struct foveal_plan {
  Forms forms;
  CallOptions call;
  std::shared_ptr<const PlanData> base;
  mutable std::atomic<const Variant*> variants{nullptr};

  foveal_plan(const Forms& given, const foveal_options* options, const char* function)
      : forms(given), call(options, function, true), base(planned({}, nullptr)) {}
  ~foveal_plan() {
    for (const Variant* variant = variants.load(); variant != nullptr;) {
      const std::unique_ptr<const Variant> last(variant);
      variant = variant->next;
    }
  }

  std::shared_ptr<const PlanData> planned(const Asked& asked, const Target* target) const {
    return make_plan(forms.query.shape, forms.key.shape, forms.value.shape, forms.query.dtype,
                     options_for(call, asked), target);
  }

  /// The plan for a run that asks for this. Two threads may both make it: the later one's is found.
  std::shared_ptr<const PlanData> plan_for(const Asked& asked) const {
    if (asked == Asked()) return base;
    const Variant* head = variants.load(std::memory_order_acquire);
    for (const Variant* variant = head; variant != nullptr; variant = variant->next) {
      if (variant->asked == asked) return variant->plan;
    }
    auto added = std::make_unique<Variant>(Variant{asked, planned(asked, base->target), head});
    std::shared_ptr<const PlanData> plan = added->plan;
    while (!variants.compare_exchange_weak(added->next, added.get())) {
    }
    added.release();
    return plan;
  }
};

namespace {

const foveal_plan& given_plan(const foveal_plan* plan, const char* function) {
  if (plan != nullptr) return *plan;
  refuse(function, "plan is NULL: give what foveal_plan_create made");
}

}  // namespace

int32_t foveal_plan_create(const foveal_tensor* query, const foveal_tensor* key,
                           const foveal_tensor* value, const foveal_options* options,
                           foveal_plan** plan) {
  if (plan != nullptr) *plan = nullptr;
  return guarded([&] {
    constexpr auto kFunction = "foveal_plan_create";
    if (plan == nullptr) {
      refuse("foveal_plan_create", "plan is NULL: say where the plan goes");
    }
    *plan = new foveal_plan(Forms(query, key, value, kFunction), options, kFunction);
  });
}

int32_t foveal_plan_run(const foveal_plan* plan, const foveal_tensor* query,
                        const foveal_tensor* key, const foveal_tensor* value,
                        foveal_result* result) {
  return guarded([&] {
    constexpr auto kFunction = "foveal_plan_run";
    const foveal_plan& own = given_plan(plan, kFunction);
    const Inputs inputs(query, key, value, kFunction);
    WantedResult wanted(result, own.call, kFunction);
    const std::shared_ptr<const PlanData> data = own.plan_for(wanted.asked);
    check_inputs(*data, inputs.all(), kFunction);
    run_plan(*data, inputs.all(), wanted.result, kFunction);
    give_fingerprint(wanted.result.plan, *result);
  });
}

int32_t foveal_plan_backward(const foveal_plan* plan, const foveal_tensor* grad_output,
                             const foveal_tensor* query, const foveal_tensor* key,
                             const foveal_tensor* value, const foveal_result* result,
                             foveal_gradients* gradients) {
  return guarded([&] {
    constexpr auto kFunction = "foveal_plan_backward";
    const foveal_plan& own = given_plan(plan, kFunction);
    const Tensor gradient = read_tensor(grad_output, {kFunction, "grad_output"});
    const Inputs inputs(query, key, value, kFunction);
    const AttentionResult given = given_result(result, kFunction);
    WantedGradients wanted(gradients, kFunction);
    const std::shared_ptr<const PlanData> data = own.plan_for(wanted.asked);
    check_inputs(*data, inputs.all(), kFunction);
    run_backward(*data, gradient, inputs.all(), given, wanted.gradients, wanted.add, kFunction);
  });
}

int32_t foveal_plan_explain(const foveal_plan* plan, char* text, size_t size, size_t* length) {
  return guarded([&] {
    constexpr auto kFunction = "foveal_plan_explain";
    const Plan own(given_plan(plan, kFunction).base);
    give_text(own.explain(), text, size, length, kFunction);
  });
}

int32_t foveal_plan_destroy(foveal_plan* plan) {
  return guarded([plan] { delete plan; });
}
