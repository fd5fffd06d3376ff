#pragma once
// What the control groups that this process is in leave to it, of both versions and at each level.

#include <cstdint>
#include <optional>
#include <string>

namespace foveal {

struct ContainerLimits {
  std::optional<std::uint64_t> memory;  ///< bytes
  std::optional<double> cpus;           ///< time on CPUs per time
};

/// From the files below `root`; what can't be read limits nothing.
ContainerLimits container_limits(const std::string& root);

}  // namespace foveal
