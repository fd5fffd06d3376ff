// The C++ calls timed within this process, for bench/python_bench.py to compare with.

#include <chrono>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "call.h"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace foveal::python {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Seconds that attention(), and attention_backward() where a gradient is given, take on the same
/// memory: (forward, backward).
std::pair<double, double> time_call(const Settings& settings, nb::handle query, nb::handle key,
                                    nb::handle value, nb::handle grad_output, int threads) {
  Call call(settings, {nb::none(), nb::none(), nb::none(), nb::make_tuple()}, 0, threads);
  const Tensor q = call.arrays.read(query, "query");
  const Tensor k = call.arrays.read(key, "key");
  const Tensor v = call.arrays.read(value, "value");
  const Tensor grad = call.arrays.read(grad_output, "grad_output");
  call.options.return_lse = call.options.return_lse || grad.defined();
  call.options.stop = nullptr;
  const nb::gil_scoped_release released;
  Clock::time_point begin = Clock::now();
  AttentionResult result = attention(q, k, v, call.options);
  const double forward = seconds_since(begin);
  if (!grad.defined()) {
    begin = Clock::now();
    result = AttentionResult();
    return {forward + seconds_since(begin), 0};
  }
  begin = Clock::now();
  {
    const AttentionGradients gradients = attention_backward(grad, q, k, v, result, call.options);
    result = AttentionResult();
  }
  return {forward, seconds_since(begin)};
}

}  // namespace

void bind_timing(nb::module_& module) {
  module.def("time_call", &time_call, "settings"_a, "query"_a, "key"_a, "value"_a,
             "grad_output"_a.none(), "threads"_a);
}

}  // namespace foveal::python
