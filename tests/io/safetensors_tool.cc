// Reads one safetensors file and writes it again: tests/python/safetensors_interop.py compares both
// with what PyPI's safetensors says. usage: safetensors_tool IN OUT

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
    foveal::save_safetensors(argv[2], file.tensors, file.metadata);
  } catch (const foveal::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 3;
  }
  return 0;
}
