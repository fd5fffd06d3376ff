#pragma once
// What save_npy writes, for those who write several files at once.

#include "foveal/npy.h"

namespace foveal {

/// The file's bytes, format 1.0. Throws Error for an undefined tensor and for bfloat16.
std::string npy_bytes(const Tensor& tensor);

}  // namespace foveal
