#pragma once
// What every function of this room asks of its arguments. `function` and the argument names stand
// in the error.

#include "foveal/tensor.h"

namespace foveal {

void require_defined(const Tensor& tensor, const char* function, const char* argument = "tensor");
void require_same_dtype(const Tensor& a, const char* name_a, const Tensor& b, const char* name_b,
                        const char* function);
void require_floating(const Tensor& tensor, const char* function, const char* argument);
/// Defined, not read-only, and no element stands in two places (stride 0 after expand).
void require_writable(const Tensor& tensor, const char* function);
/// `index` from -size to size-1 as one from 0 to size-1. Throws Error otherwise.
std::int64_t normalize_index(std::int64_t index, std::int64_t size, std::int64_t axis,
                             const char* function);

}  // namespace foveal
