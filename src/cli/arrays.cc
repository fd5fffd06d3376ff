#include "cli/arrays.h"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "core/memory.h"
#include "foveal/error.h"
#include "foveal/npy.h"
#include "io/safetensors_dtype.h"
#include "io/safetensors_header.h"

namespace foveal::cli {
namespace {

constexpr std::string_view kSuffix = ".safetensors";

/// A file stands in memory twice while it is read. What isn't there fails when it is opened.
void require_memory(const std::string& path) {
  std::error_code failure;
  if (!std::filesystem::is_regular_file(path, failure)) return;
  const std::uintmax_t size = std::filesystem::file_size(path, failure);
  if (failure || size <= usable_memory() / 2) return;
  throw Error("file '" + path + "' has " + std::to_string(size) +
              " bytes, more than fit in memory while it is read: give a smaller one");
}

/// Those too whose dtypes foveal lacks, last.
std::string names_in(const SafetensorsFile& file) {
  constexpr std::size_t kMost = 10;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : file.tensors) names.push_back(name);
  for (const auto& [name, dtype] : file.unsupported) names.push_back(name);
  if (names.empty()) return "none";
  if (names.size() > kMost) {
    names.resize(kMost);
    names.push_back("...");
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string file_of(const std::string& name) {
  const std::size_t colon = name.rfind(std::string(kSuffix) + ":");
  return colon == std::string::npos ? name : name.substr(0, colon + kSuffix.size());
}

Tensor ArrayReader::read(const std::string& name) {
  const std::size_t colon = name.rfind(std::string(kSuffix) + ":");
  if (colon == std::string::npos) {
    if (name.ends_with(kSuffix)) {
      throw Error("file '" + name + "' holds several arrays: write " + name + ":NAME",
                  ErrorKind::usage);
    }
    require_memory(name);
    return load_npy(name);
  }
  const std::string path = name.substr(0, colon + kSuffix.size());
  const std::string wanted = name.substr(colon + kSuffix.size() + 1);
  if (files_.count(path) == 0) {
    require_memory(path);
    files_[path] = load_safetensors(path);
  }
  for (const auto& [tensor_name, tensor] : files_[path].tensors) {
    if (tensor_name == wanted) return tensor;
  }
  if (const auto found = files_[path].unsupported.find(wanted);
      found != files_[path].unsupported.end()) {
    throw Error("file '" + path + "': tensor '" + wanted + "' has dtype " + shown(found->second) +
                ": it must be " + safetensors_names());
  }
  throw Error("file '" + path + "' has no array '" + wanted + "': it has " +
              names_in(files_[path]));
}

Tensor ArrayReader::read_floating(const std::string& name) {
  const Tensor tensor = read(name);
  if (is_floating(tensor.dtype())) return tensor;
  throw Error("file '" + name + "' has dtype " + to_string(tensor.dtype()) +
              ": it must be float16, float32 or float64");
}

}  // namespace foveal::cli
