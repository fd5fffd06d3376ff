#pragma once
// How many CPUs there are for us.

#include <optional>

namespace foveal {

/// As many threads can work at a time: the CPUs that this process may run on, or the time on CPUs
/// that its control groups leave to it, rounded up, where that is less. Asked once.
int usable_cpus();

/// Of so many CPUs, with that quota.
int cpus_within(int cpus, std::optional<double> quota);

}  // namespace foveal
