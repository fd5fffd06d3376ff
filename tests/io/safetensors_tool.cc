// Reads one safetensors file and writes it again: tests/python/safetensors_interop.py compares both
// with what PyPI's safetensors says. Prints a line "DTYPE NAME" for each tensor whose dtype foveal
// lacks. usage: safetensors_tool IN OUT

#include <cstdio>

#include "foveal/error.h"
#include "foveal/safetensors.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: safetensors_tool IN OUT\n");
    return 2;
  }
  try {
    const foveal::SafetensorsFile file = foveal::load_safetensors(argv[1]);
    for (const auto& [name, dtype] : file.unsupported) {
      std::printf("%s %s\n", dtype.c_str(), name.c_str());
    }
    foveal::save_safetensors(argv[2], file.tensors, file.metadata);
  } catch (const foveal::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 3;
  }
  return 0;
}
