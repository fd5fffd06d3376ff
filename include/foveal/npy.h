#pragma once
// Tensors in NumPy's format .npy.

#include <string>

#include "foveal/tensor.h"

namespace foveal {

/// Reads a file of format 1.0 to 3.0 that holds float16, float32, float64, int64 or bool in little
/// endian, row-major or column-major; the tensor is row-major. Throws Error (kind file) where it
/// can't be read, and (kind data) where it is truncated, breaks a rule or holds another dtype:
/// names the file and the rule. Nothing is allocated that the file merely claims.
Tensor load_npy(const std::string& path);

/// The same from memory: `name` stands in errors for the file.
Tensor parse_npy(const std::string& bytes, const std::string& name);

/// Writes to a temporary name beside `path`, then renames: what stood there stays until then.
/// NumPy has no bfloat16: such a tensor throws.
void save_npy(const std::string& path, const Tensor& tensor);

}  // namespace foveal
