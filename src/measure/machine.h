#pragma once
// What this machine says of itself.

#include <string>

namespace foveal::measure {

/// The CPU's model, or what stands for it where the system doesn't say.
std::string cpu_name();

}  // namespace foveal::measure
