#pragma once
// How NumPy names the dtypes that foveal has.

#include <optional>
#include <string_view>

#include "foveal/dtype.h"

namespace foveal {

struct NpyDtype {
  DType dtype = DType::float32;
  bool big_endian = false;
};

/// What NumPy's dtype(text) is: a code ("f4", "d", "?") that may have a byte order before it, or a
/// name ("float32"). Nothing where foveal has no such dtype.
std::optional<NpyDtype> npy_dtype(std::string_view text);

}  // namespace foveal
