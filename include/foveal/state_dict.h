#pragma once
// Named tensors, in order: what a module holds and a file stores.

#include <string>
#include <utility>
#include <vector>

#include "foveal/tensor.h"

#pragma GCC visibility push(default)
namespace foveal {

using StateDict = std::vector<std::pair<std::string, Tensor>>;

/// The tensor of that name, or null.
const Tensor* find(const StateDict& tensors, const std::string& name);

}  // namespace foveal
#pragma GCC visibility pop
