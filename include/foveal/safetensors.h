#pragma once
// Named tensors in the safetensors format, as PyPI's `safetensors` reads and writes it.

#include <map>
#include <string>

#include "foveal/state_dict.h"

#pragma GCC visibility push(default)
namespace foveal {

struct SafetensorsFile {
  StateDict tensors = {};                            ///< in the file's order of data offsets
  std::map<std::string, std::string> metadata = {};  ///< the header's __metadata__
  std::map<std::string, std::string> unsupported =
      {};  ///< what foveal has no dtype for: name to "U8"
};

/// Reads the whole file. Throws Error (kind file) where it can't be read, and (kind data) where it
/// is truncated or its header breaks a rule: names the file, the tensor and the rule. A tensor of a
/// dtype that foveal lacks is left out and named in `unsupported`. Nothing in the header is trusted
/// before it is checked. Of a BOOL each byte but 0 is true.
SafetensorsFile load_safetensors(const std::string& path);

/// Writes to a temporary name beside `path`, then renames: what stood there stays until then.
void save_safetensors(const std::string& path, const StateDict& tensors,
                      const std::map<std::string, std::string>& metadata = {});

/// The same from memory, for tests and other sources: `name` stands in errors for the file.
SafetensorsFile parse_safetensors(const std::string& bytes, const std::string& name);

}  // namespace foveal
#pragma GCC visibility pop
