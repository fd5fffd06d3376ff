#pragma once
// PyTorch's tensors in and out, by DLPack, without a copy.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <string>

#include "foveal/tensor.h"

namespace foveal::python {

/// PyTorch's to_dlpack and from_dlpack, and its table of C functions for both
/// (__dlpack_c_exchange_api__), which versions before 2.10 lack: None. Given once PyTorch is
/// imported.
void set_torch(nanobind::object to_dlpack, nanobind::object from_dlpack, nanobind::handle exchange);
bool has_torch();

/// Where a tensor of PyTorch's lies. `holder` keeps that so.
struct SeenTensor {
  nanobind::dlpack::dltensor lies;
  nanobind::object holder;
};

/// Throws a Python error where it isn't memory that a CPU can read, named `name`.
SeenTensor see_torch(nanobind::handle tensor, const char* name);

/// A tensor of PyTorch's in the same memory.
nanobind::object to_torch(const Tensor& tensor);

/// DLPack's name of a dtype.
nanobind::dlpack::dtype dlpack_of(DType dtype);

/// Throws TypeError: a dtype that foveal hasn't.
[[noreturn]] void refuse_dtype(const char* name, std::string dtype);

}  // namespace foveal::python
