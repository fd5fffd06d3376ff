#pragma once
// The bindings, a part of the module each.

#include <nanobind/nanobind.h>

#include <string>

#include "foveal/dtype.h"
#include "foveal/generator.h"

namespace foveal::python {

/// The one of foveal.manual_seed. It begins as PyTorch's does. The GIL guards it.
Generator& generator();

/// A floating dtype by its name. Throws TypeError for another name.
DType dtype_named(const std::string& name);

void bind_attention(nanobind::module_& module);
void bind_nn(nanobind::module_& module);
void bind_openmp(nanobind::module_& module);
void bind_plan(nanobind::module_& module);
void bind_timing(nanobind::module_& module);
void bind_trace(nanobind::module_& module);

}  // namespace foveal::python
