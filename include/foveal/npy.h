#pragma once
// Tensors in NumPy's format .npy.

#include <string>

#include "foveal/tensor.h"

#pragma GCC visibility push(default)
namespace foveal {

/// Reads a file of format 1.0 to 3.0 that holds float16, float32, float64, int64 or bool in either
/// order of bytes, row-major or column-major; the tensor is row-major. Its header may be spelled in
/// the ways that NumPy takes: dtypes by name or code, sizes such as 3L. Of a bool each byte but 0
/// is true. What follows the array is ignored, as NumPy does: a file of several holds the first.
/// Throws Error (kind file) where it can't be read, and (kind data) where it is truncated, breaks a
/// rule or holds another dtype: names the file and the rule. Nothing is allocated that the file
/// merely claims.
Tensor load_npy(const std::string& path);

/// The same from memory: `name` stands in errors for the file.
Tensor parse_npy(const std::string& bytes, const std::string& name);

/// Writes to a temporary name beside `path`, then renames: what stood there stays until then.
/// NumPy has no bfloat16: such a tensor throws.
void save_npy(const std::string& path, const Tensor& tensor);

}  // namespace foveal
#pragma GCC visibility pop
