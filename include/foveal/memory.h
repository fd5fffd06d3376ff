#pragma once
// Memory that stays with the library between calls.

#include <cstddef>

#pragma GCC visibility push(default)
namespace foveal {

/// Gives back what is kept for later calls: large blocks that tensors let go of (256 MB at most and
/// two larger ones, docs/decisions/kept-memory.md), and the workspaces of all threads that run no
/// call now, the library's own among them. Returns how many bytes that were. Any thread may call it
/// at any time; later calls ask the system again.
std::size_t release_memory();

}  // namespace foveal
#pragma GCC visibility pop
