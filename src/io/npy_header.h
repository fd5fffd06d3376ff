#pragma once
// The header of an .npy file: a Python dictionary as text, read without trusting it.

#include <cstddef>
#include <string>

#include "foveal/dtype.h"
#include "foveal/shape.h"

namespace foveal {

struct NpyHeader {
  DType dtype = DType::float32;
  bool big_endian = false;
  bool column_major = false;
  Shape shape;
  std::size_t data_start = 0;  ///< the first byte of the elements
};

/// Throws Error (kind data) for anything but a header of format 1.0 to 3.0 whose shape and dtype
/// take exactly the bytes that follow it. `name` stands in errors for the file.
NpyHeader parse_npy_header(const std::string& bytes, const std::string& name);

}  // namespace foveal
