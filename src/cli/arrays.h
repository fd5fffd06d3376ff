#pragma once
// Arrays named on the command line: FILE.npy, or FILE.safetensors:NAME.

#include <map>
#include <string>

#include "foveal/safetensors.h"
#include "foveal/tensor.h"

namespace foveal::cli {

/// "a.safetensors" of "a.safetensors:x".
std::string file_of(const std::string& name);

/// Reads each safetensors file once. Every function throws Error that names the file.
class ArrayReader {
 public:
  /// Any array of a dtype that foveal has.
  Tensor read(const std::string& name);
  /// One of float16, float32, float64 (safetensors: bfloat16 too).
  Tensor read_floating(const std::string& name);

 private:
  std::map<std::string, SafetensorsFile> files_;
};

}  // namespace foveal::cli
