#pragma once
// A tensor's elements as files hold them: dense, row-major, little endian.

#include <string>

#include "foveal/tensor.h"

namespace foveal {

/// `data` holds all bytes of `tensor`, which is dense. Of a bool any byte but 0 is true.
void read_elements(const char* data, Tensor& tensor);

/// Appends the elements as they are seen; a true one is 1.
void append_elements(const Tensor& tensor, std::string* bytes);

}  // namespace foveal
