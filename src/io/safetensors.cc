#include "foveal/safetensors.h"

#include <unordered_set>

#include "core/door.h"
#include "foveal/error.h"
#include "io/elements.h"
#include "io/file.h"
#include "io/json.h"
#include "io/safetensors_dtype.h"
#include "io/safetensors_header.h"

namespace foveal {
namespace {

/// `text` as JSON; `what` says in the error whose text it is.
std::string json_text(const std::string& text, const std::string& what) {
  try {
    return json_string(text);
  } catch (const Error&) {
    throw Error("save_safetensors: " + what + " " + shown(text) + " is not valid UTF-8");
  }
}

void check_tensors(const StateDict& tensors) {
  std::unordered_set<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    if (name == "__metadata__") {
      throw Error("save_safetensors: the name __metadata__ is the format's own: rename the tensor");
    }
    if (!tensor.defined()) {
      throw Error("save_safetensors: tensor " + shown(name) + " is undefined");
    }
    if (!names.insert(name).second) {
      throw Error("save_safetensors: the name " + shown(name) + " stands twice");
    }
  }
}

std::string metadata_text(const std::map<std::string, std::string>& metadata) {
  std::string text;
  for (const auto& [key, value] : metadata) {
    if (!text.empty()) text += ',';
    text += json_text(key, "metadata key") + ":" + json_text(value, "metadata value");
  }
  return "\"__metadata__\":{" + text + "}";
}

std::string entry_text(const std::string& name, const Tensor& tensor, std::size_t begin,
                       std::size_t end) {
  std::string sizes;
  for (std::int64_t size : tensor.shape()) {
    if (!sizes.empty()) sizes += ',';
    sizes += std::to_string(size);
  }
  return json_text(name, "name") + ":{\"dtype\":\"" + safetensors_name(tensor.dtype()) +
         "\",\"shape\":[" + sizes + "],\"data_offsets\":[" + std::to_string(begin) + "," +
         std::to_string(end) + "]}";
}

std::string little_endian(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
  return bytes;
}

}  // namespace

std::string safetensors_bytes(const StateDict& tensors,
                              const std::map<std::string, std::string>& metadata) {
  check_tensors(tensors);
  std::string header = "{";
  if (!metadata.empty()) header += metadata_text(metadata);
  std::string data;
  for (const std::size_t width : {8, 4, 2, 1}) {
    for (const auto& [name, tensor] : tensors) {
      if (size_of(tensor.dtype()) != width) continue;
      const std::size_t begin = data.size();
      append_elements(tensor, &data);
      if (header.size() > 1) header += ',';
      header += entry_text(name, tensor, begin, data.size());
    }
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return little_endian(header.size()) + header + data;
}

SafetensorsFile parse_safetensors(const std::string& bytes, const std::string& name) try {
  const SafetensorsHeader header = parse_safetensors_header(bytes, name);
  SafetensorsFile file;
  file.metadata = header.metadata;
  for (const SafetensorsEntry& entry : header.entries) {
    if (!entry.dtype) {
      file.unsupported.emplace(entry.name, entry.dtype_name);
      continue;
    }
    Tensor tensor = Tensor::zeros(entry.shape, *entry.dtype);
    read_elements(bytes.data() + header.data_start + entry.begin, tensor);
    file.tensors.emplace_back(entry.name, tensor);
  }
  return file;
} catch (...) {
  rethrow_as_error("parse_safetensors");
}

SafetensorsFile load_safetensors(const std::string& path) try {
  return parse_safetensors(read_file(path), path);
} catch (...) {
  rethrow_as_error("load_safetensors");
}

void save_safetensors(const std::string& path, const StateDict& tensors,
                      const std::map<std::string, std::string>& metadata) try {
  write_file(path, safetensors_bytes(tensors, metadata));
} catch (...) {
  rethrow_as_error("save_safetensors");
}

}  // namespace foveal
