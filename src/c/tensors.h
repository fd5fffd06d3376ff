#pragma once
// Tensors over what a C caller describes. Nothing is copied.

#include <vector>

#include "foveal/c.h"
#include "foveal/tensor.h"

namespace foveal::c {

/// Stands in errors: "foveal_attention: query".
struct Argument {
  const char* function;
  const char* name;
};

/// Memory that is read. Throws Error where `tensor` is null, or what it says fits no memory.
Tensor read_tensor(const foveal_tensor* tensor, const Argument& argument);
/// Undefined where `tensor` is null.
Tensor read_if_given(const foveal_tensor* tensor, const Argument& argument);
/// Memory that may be written; undefined where `tensor` is null.
Tensor written_if_given(const foveal_tensor* tensor, const Argument& argument);

/// The numbers of an int64 tensor with one axis; none where `tensor` is null.
std::vector<std::int64_t> numbers_of(const foveal_tensor* tensor, const Argument& argument);

/// What a plan knows of a tensor.
struct Form {
  Shape shape;
  DType dtype;
};
Form form_of(const foveal_tensor* tensor, const Argument& argument);

}  // namespace foveal::c
