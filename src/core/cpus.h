#pragma once
// How many CPUs there are for us.

namespace foveal {

/// CPUs that this process may run on, at least 1: as many threads can work at a time. Asked once.
int usable_cpus();

}  // namespace foveal
