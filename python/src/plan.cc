// Plans that are kept.

#include "foveal/plan.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>

#include "bindings.h"
#include "call.h"
#include "core/call_scope.h"
#include "interrupt.h"
#include "results.h"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace foveal::python {

DType dtype_named(const std::string& name) {
  for (DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    if (to_string(dtype) == name) return dtype;
  }
  throw nb::type_error(
      ("dtype is " + name + ": it must be float32, float64, bfloat16 or float16").c_str());
}

namespace {

/// A plan, and the arrays that its options look at.
class HeldPlan {
 public:
  HeldPlan(const Settings& settings, const Shape& query, const Shape& key, const Shape& value,
           const std::string& dtype, nb::handle bias, nb::handle alibi_slopes, nb::handle sinks,
           nb::handle mask_arrays, std::uint64_t seed)
      : call_(std::make_unique<Call>(settings, Terms{bias, alibi_slopes, sinks, mask_arrays}, seed,
                                     0)),
        plan_(plan_attention(query, key, value, dtype_named(dtype), call_->options)) {
    settings.check_lists(query.empty() ? 0 : query[0]);
  }

  std::string explain() const { return plan_.explain(); }
  std::string to_json() const { return plan_.to_json(); }

  nb::tuple run(nb::handle query, nb::handle key, nb::handle value, int kind, int threads,
                nb::handle out) const {
    Interrupt::begin_call();
    Borrowed arrays;
    const Inputs inputs(arrays, query, key, value);
    AttentionResult result;
    result.output = arrays.write(out, "out");
    {
      const nb::gil_scoped_release released;
      const CallScope call(threads, Interrupt::question(), nullptr);
      plan_.run_into(result, inputs.query, inputs.key, inputs.value);
    }
    return to_python(result, kind == 0 ? Kind::numpy : Kind::torch);
  }

 private:
  std::unique_ptr<Call> call_;
  Plan plan_;
};

}  // namespace

void bind_plan(nb::module_& module) {
  nb::class_<HeldPlan>(module, "Plan", "What a call will run.")
      .def(nb::init<const Settings&, const Shape&, const Shape&, const Shape&, const std::string&,
                    nb::handle, nb::handle, nb::handle, nb::handle, std::uint64_t>(),
           "settings"_a, "query"_a, "key"_a, "value"_a, "dtype"_a, "bias"_a.none(),
           "alibi_slopes"_a.none(), "sinks"_a.none(), "mask_arrays"_a, "seed"_a)
      .def("explain", &HeldPlan::explain)
      .def("to_json", &HeldPlan::to_json)
      .def("run", &HeldPlan::run, "query"_a, "key"_a, "value"_a, "kind"_a, "threads"_a,
           "out"_a.none() = nb::none());
}

}  // namespace foveal::python
