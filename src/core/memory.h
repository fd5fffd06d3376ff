#pragma once
// How much memory there is, so that a size that can't fit is refused before anything is allocated.

#include <cstdint>

namespace foveal {

/// Bytes of memory that this process may use: the machine's, or its control group's where that is
/// less.
std::uint64_t usable_memory();

}  // namespace foveal
