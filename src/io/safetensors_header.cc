#include "io/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "foveal/error.h"
#include "io/safetensors_dtype.h"
#include "io/safetensors_json.h"

namespace foveal {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMostHeaderBytes = 100'000'000;

[[noreturn]] void reject(const std::string& file, const std::string& what) {
  throw Error("safetensors file '" + file + "': " + what);
}

std::uint64_t header_length(const std::string& bytes, const std::string& file) {
  if (bytes.size() < kLengthBytes) {
    reject(file, "has " + std::to_string(bytes.size()) +
                     " bytes: the length of the header alone takes 8; the file is truncated");
  }
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    length = length << 8 | static_cast<unsigned char>(bytes[i]);
  }
  if (length > kMostHeaderBytes) {
    reject(file, "header of " + std::to_string(length) + " bytes: at most 100000000 are allowed");
  }
  if (length > bytes.size() - kLengthBytes) {
    reject(file, "header of " + std::to_string(length) + " bytes in a file of " +
                     std::to_string(bytes.size()) + ": the file is truncated");
  }
  return length;
}

/// Bytes that `entry` takes by its shape and a dtype of the format; its sizes are 0 or more.
std::uint64_t byte_count(const SafetensorsEntry& entry, unsigned bits, const std::string& file) {
  std::uint64_t count = bits;
  for (std::int64_t size : entry.shape) {
    if (__builtin_mul_overflow(count, static_cast<std::uint64_t>(size), &count)) {
      reject(file, "tensor " + shown(entry.name) + ": shape " + to_string(entry.shape) +
                       " is larger than memory can be");
    }
  }
  if (count % 8 != 0) {
    reject(file, "tensor " + shown(entry.name) + ": shape " + to_string(entry.shape) + " of " +
                     entry.dtype_name + " takes " + std::to_string(count) +
                     " bits, no whole bytes");
  }
  return count / 8;
}

std::string described(const SafetensorsEntry& entry) {
  return "tensor " + shown(entry.name) + ": data_offsets [" + std::to_string(entry.begin) + ", " +
         std::to_string(entry.end) + "]";
}

void check_range(const SafetensorsEntry& entry, std::uint64_t data_size, const std::string& file) {
  if (entry.begin > entry.end) reject(file, described(entry) + ": the end is before the begin");
  if (entry.end > data_size) {
    reject(file, described(entry) + " lead past the end of the data (" + std::to_string(data_size) +
                     " bytes): the file is truncated");
  }
  const SafetensorsDtype* const dtype = safetensors_dtype(entry.dtype_name);
  if (dtype == nullptr) return;
  const std::uint64_t expected = byte_count(entry, dtype->bits, file);
  if (entry.end - entry.begin != expected) {
    reject(file, described(entry) + " hold " + std::to_string(entry.end - entry.begin) +
                     " bytes, but shape " + to_string(entry.shape) + " of " + entry.dtype_name +
                     " takes " + std::to_string(expected));
  }
}

/// The ranges cover the data from its first byte to its last, each byte once.
void check_cover(const std::vector<SafetensorsEntry>& entries, std::uint64_t data_size,
                 const std::string& file) {
  std::uint64_t covered = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin != covered) {
      reject(file, described(entry) + (entry.begin < covered ? " overlap" : " leave a hole after") +
                       " the tensor before: they must begin at " + std::to_string(covered));
    }
    covered = entry.end;
  }
  if (covered != data_size) {
    reject(file, std::to_string(data_size - covered) +
                     " bytes after the last tensor belong to none: the file must end there");
  }
}

}  // namespace

std::string shown(const std::string& text) {
  constexpr std::size_t kMostBytes = 80;
  const nlohmann::json cut = text.size() <= kMostBytes ? text : text.substr(0, kMostBytes) + "...";
  return cut.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

SafetensorsHeader parse_safetensors_header(const std::string& bytes, const std::string& name) {
  const std::uint64_t length = header_length(bytes, name);
  SafetensorsHeader header;
  header.data_start = kLengthBytes + static_cast<std::size_t>(length);
  const std::string problem =
      read_safetensors_json(bytes.substr(kLengthBytes, static_cast<std::size_t>(length)), &header);
  if (!problem.empty()) reject(name, problem);

  const std::uint64_t data_size = bytes.size() - header.data_start;
  for (const SafetensorsEntry& entry : header.entries) check_range(entry, data_size, name);
  const auto by_range = [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  };
  std::sort(header.entries.begin(), header.entries.end(), by_range);
  check_cover(header.entries, data_size, name);
  return header;
}

}  // namespace foveal
