#pragma once
// The header of a safetensors file: 8 bytes of length (little endian), then JSON that maps each
// tensor's name to its dtype, shape and byte range. Nothing here looks at the numbers themselves.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "foveal/dtype.h"
#include "foveal/shape.h"
#include "foveal/state_dict.h"

namespace foveal {

struct SafetensorsEntry {
  std::string name;
  std::string dtype_name;      ///< as the format spells it
  std::optional<DType> dtype;  ///< nothing where foveal has no such dtype
  Shape shape;
  std::uint64_t begin = 0, end = 0;  ///< bytes, counted from the end of the header
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  ///< by byte range, without holes or overlaps
  std::map<std::string, std::string> metadata;
  std::size_t data_start = 0;
};

/// Reads and checks the header of the whole file `bytes`: what it returns may be trusted. `name`
/// stands for the file in errors.
SafetensorsHeader parse_safetensors_header(const std::string& bytes, const std::string& name);

/// A name from a file in quotes, shortened and escaped so that it fits in one line of an error.
std::string shown(const std::string& text);

/// The whole file as bytes. Tensors with wide elements come first, so that each is aligned.
std::string safetensors_bytes(const StateDict& tensors,
                              const std::map<std::string, std::string>& metadata);

}  // namespace foveal
