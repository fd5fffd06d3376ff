// Any text as a mask: an Error or a mask, whose text reads back to the same text, and which binds
// to lengths or says why not.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "foveal/error.h"
#include "foveal/mask.h"

namespace {

/// Files hold a small mask, so that names of files are walked too.
foveal::Tensor read_any(const std::string& path) {
  if (path.find("ids") != std::string::npos) return foveal::Tensor::arange(5);
  return foveal::Tensor::ones({3, 5}, foveal::DType::boolean);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const foveal::Mask mask = foveal::parse_mask(text, read_any);
    const std::string printed = foveal::to_string(mask);
    if (foveal::to_string(foveal::parse_mask(printed, read_any)) != printed) std::abort();
    foveal::lint(mask, 2, 3, 5);
  } catch (const foveal::Error& error) {
    if (error.kind() == foveal::ErrorKind::internal) throw;
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
