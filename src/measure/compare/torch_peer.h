#pragma once
// torch_peer.py, built in.

namespace foveal::measure {

extern const char* const kTorchPeer;

}  // namespace foveal::measure
