// Reads one npy file and writes it again: tests/python/npy_interop.py compares both with what NumPy
// says. usage: npy_tool IN OUT

#include <cstdio>

#include "foveal/error.h"
#include "foveal/npy.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: npy_tool IN OUT\n");
    return 2;
  }
  try {
    foveal::save_npy(argv[2], foveal::load_npy(argv[1]));
  } catch (const foveal::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 3;
  }
  return 0;
}
