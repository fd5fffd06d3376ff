// Any bytes as an npy file: an Error or a tensor, and a tensor must survive the way out and in.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "foveal/error.h"
#include "io/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const std::string written = foveal::npy_bytes(foveal::parse_npy(bytes, "fuzz"));
    if (foveal::npy_bytes(foveal::parse_npy(written, "again")) != written) std::abort();
  } catch (const foveal::Error& error) {
    if (error.kind() == foveal::ErrorKind::internal) throw;
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
