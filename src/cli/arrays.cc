#include "cli/arrays.h"

#include <filesystem>

#include "core/memory.h"
#include "foveal/error.h"
#include "foveal/npy.h"

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

std::string names_in(const SafetensorsFile& file) {
  constexpr std::size_t kMost = 10;
  std::string names;
  for (std::size_t n = 0; n < file.tensors.size() && n < kMost; ++n) {
    names += (n == 0 ? "" : ", ") + file.tensors[n].first;
  }
  return file.tensors.size() > kMost ? names + ", ..." : names;
}

}  // namespace

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
    throw Error("file '" + path + "': tensor '" + wanted + "' has dtype " + found->second +
                ": it must be F32, F64, BF16, F16, I64 or BOOL");
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
