// The module: errors, threads, targets, random numbers.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>
#include <utility>

#include "bindings.h"
#include "foveal/error.h"
#include "foveal/memory.h"
#include "foveal/target.h"
#include "foveal/threads.h"
#include "foveal/version.h"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace foveal::python {
namespace {

/// The library's text, with an argument that has another name here by that name.
std::string in_pythons_words(std::string text) {
  for (const auto& [library, python] : {std::pair("attention: bias ", "attention: attn_mask "),
                                        {"attention_into: output ", "attention: out "},
                                        {"Plan::run_into: output ", "Plan.run: out "}}) {
    if (text.starts_with(library)) return python + text.substr(std::string_view(library).size());
  }
  return text;
}

/// foveal::Error as Python's exceptions. A call that was stopped has Python's own already set.
void translate(const std::exception_ptr& pointer, void*) {
  try {
    std::rethrow_exception(pointer);
  } catch (const Error& error) {
    switch (error.kind()) {
      case ErrorKind::stopped:
        if (PyErr_Occurred() == nullptr) PyErr_SetNone(PyExc_KeyboardInterrupt);
        return;
      case ErrorKind::file:
        return PyErr_SetString(PyExc_OSError, error.what());
      case ErrorKind::internal:
        return PyErr_SetString(PyExc_RuntimeError, error.what());
      case ErrorKind::usage:
      case ErrorKind::data:
        return PyErr_SetString(PyExc_ValueError, in_pythons_words(error.what()).c_str());
    }
  }
}

}  // namespace

Generator& generator() {
  static Generator* const kept = new Generator(67280421310721);  // used until the process ends
  return *kept;
}

NB_MODULE(_foveal, module) {
  nb::set_leak_warnings(false);  // what the interpreter forgets at its end is no leak of ours
  nb::register_exception_translator(translate);
  module.attr("version") = FOVEAL_VERSION;
  module.def("targets", &targets);
  module.def("set_num_threads", &set_num_threads, "count"_a);
  module.def("num_threads", &num_threads);
  module.def("release_memory", &release_memory);
  module.def("manual_seed", [](std::uint64_t seed) { generator().seed(seed); }, "seed"_a);
  module.def("next_seed", [] { return generator().next_u64(); });
  bind_attention(module);
  bind_nn(module);
  bind_openmp(module);
  bind_plan(module);
  bind_timing(module);
  bind_trace(module);
}

}  // namespace foveal::python
