# Makes a C++ source of the Python that runs PyTorch's variants.
# Run as: cmake -DSCRIPT=torch_peer.py -DOUTPUT=torch_peer.cc -P embed.cmake
file(READ ${SCRIPT} script)
file(WRITE ${OUTPUT} "// Made by embed.cmake from torch_peer.py.
#include \"measure/compare/torch_peer.h\"

namespace foveal::measure {

const char* const kTorchPeer = R\"python(${script})python\";

}  // namespace foveal::measure
")
