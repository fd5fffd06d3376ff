#pragma once
// How many CPUs there are for us.

#include <optional>
#include <string>

namespace foveal {

/// As many threads can work at a time: the CPUs that this process may run on, or the time on CPUs
/// that its control groups leave to it, rounded up, where that is less. Asked once.
int usable_cpus();

/// The same by the files below `root`, asked each time.
int usable_cpus_by(const std::string& root);

/// Of so many CPUs, with that quota.
int cpus_within(int cpus, std::optional<double> quota);

}  // namespace foveal
