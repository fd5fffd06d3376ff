// Any bytes as a safetensors file: an Error or tensors, and tensors must survive the way out and
// in.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "foveal/error.h"
#include "foveal/safetensors.h"
#include "io/safetensors_header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const foveal::SafetensorsFile file = foveal::parse_safetensors(bytes, "fuzz");
    const std::string written = foveal::safetensors_bytes(file.tensors, file.metadata);
    const foveal::SafetensorsFile again = foveal::parse_safetensors(written, "again");
    if (foveal::safetensors_bytes(again.tensors, again.metadata) != written) std::abort();
  } catch (const foveal::Error&) {
  }
  return 0;
}
