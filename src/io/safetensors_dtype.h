#pragma once
// The dtypes of the safetensors format, those too that foveal lacks.

#include <optional>
#include <string>
#include <string_view>

#include "foveal/dtype.h"

namespace foveal {

struct SafetensorsDtype {
  std::string_view name;
  unsigned bits = 0;           ///< of an element
  std::optional<DType> dtype;  ///< nothing where foveal has no such dtype
};

/// The dtype of that name, or null: a format newer than this table may have more.
const SafetensorsDtype* safetensors_dtype(std::string_view name);

std::string safetensors_name(DType dtype);

/// The names of those that foveal has: "F32, ... or BOOL".
std::string safetensors_names();

}  // namespace foveal
