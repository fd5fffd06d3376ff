#pragma once
// How much memory a variant takes at most.

#include <optional>

#include "measure/compare/compare.h"

namespace foveal::measure {

/// Peak resident bytes of one forward and backward above the level with model and input loaded, in
/// a process of its own. Nothing where the system doesn't say. To be called before the process
/// holds much memory: what it holds, a child could use.
std::optional<std::int64_t> peak_bytes_of(const std::string& variant,
                                          const CompareSettings& settings);

}  // namespace foveal::measure
