#include "foveal/safetensors.h"

#include <bit>
#include <cstring>
#include <unordered_set>

#include "foveal/error.h"
#include "io/file.h"
#include "io/json.h"
#include "io/safetensors_header.h"

namespace foveal {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little endian");

std::string dtype_name(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "F32";
    case DType::float64:
      return "F64";
    case DType::bfloat16:
      return "BF16";
    case DType::float16:
      return "F16";
    case DType::int64:
      return "I64";
    case DType::boolean:
      return "BOOL";
  }
  throw Error("safetensors: unknown dtype", ErrorKind::internal);
}

/// A bool in memory that is neither 0 nor 1 is undefined in C++.
void check_booleans(const SafetensorsEntry& entry, const char* data, const std::string& file) {
  for (std::uint64_t i = 0; i < entry.end - entry.begin; ++i) {
    const unsigned byte = static_cast<unsigned char>(data[i]);
    if (byte > 1) {
      throw Error("safetensors file '" + file + "': tensor " + shown(entry.name) + ": element " +
                  std::to_string(i) + " of this BOOL is " + std::to_string(byte) +
                  ": it must be 0 or 1");
    }
  }
}

Tensor read_tensor(const SafetensorsEntry& entry, const char* data, const std::string& file) {
  if (entry.dtype == DType::boolean) check_booleans(entry, data, file);
  Tensor tensor = Tensor::zeros(entry.shape, entry.dtype);
  const std::size_t size = static_cast<std::size_t>(entry.end - entry.begin);
  if (size > 0) std::memcpy(tensor.raw_data(), data, size);
  return tensor;
}

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
  return json_text(name, "name") + ":{\"dtype\":\"" + dtype_name(tensor.dtype()) +
         "\",\"shape\":[" + sizes + "],\"data_offsets\":[" + std::to_string(begin) + "," +
         std::to_string(end) + "]}";
}

void append_elements(const Tensor& tensor, std::string* data) {
  const Tensor dense = tensor.contiguous();
  const std::size_t size = static_cast<std::size_t>(dense.element_count()) * size_of(dense.dtype());
  if (size > 0) data->append(static_cast<const char*>(dense.raw_data()), size);
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

SafetensorsFile parse_safetensors(const std::string& bytes, const std::string& name) {
  const SafetensorsHeader header = parse_safetensors_header(bytes, name);
  SafetensorsFile file;
  file.metadata = header.metadata;
  for (const SafetensorsEntry& entry : header.entries) {
    const char* const data = bytes.data() + header.data_start + entry.begin;
    file.tensors.emplace_back(entry.name, read_tensor(entry, data, name));
  }
  return file;
}

SafetensorsFile load_safetensors(const std::string& path) {
  return parse_safetensors(read_file(path), path);
}

void save_safetensors(const std::string& path, const StateDict& tensors,
                      const std::map<std::string, std::string>& metadata) {
  write_file(path, safetensors_bytes(tensors, metadata));
}

}  // namespace foveal
