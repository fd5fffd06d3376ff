#pragma once
// The bindings, a part of the module each.

#include <nanobind/nanobind.h>

namespace foveal::python {

void bind_attention(nanobind::module_& module);
void bind_plan(nanobind::module_& module);
void bind_timing(nanobind::module_& module);
void bind_trace(nanobind::module_& module);

}  // namespace foveal::python
