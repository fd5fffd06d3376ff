#pragma once
// How much memory there is, so that a size that can't fit is refused before anything is allocated.

#include <cstdint>
#include <string>

namespace foveal {

/// Bytes of memory that this process may use: the machine's, or its control group's where that is
/// less. Asked once.
std::uint64_t usable_memory();

/// The same by the files below `root`, asked each time.
std::uint64_t usable_memory_by(const std::string& root);

}  // namespace foveal
