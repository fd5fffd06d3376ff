#pragma once
// Which build of the kernels runs: a target is one for a class of CPUs.

#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace foveal {

/// The names of the targets that this CPU can run, from portable to the best.
std::vector<std::string> targets();

/// The target of later calls, but for those whose options name one. Empty: back to the one that the
/// environment's FOVEAL_TARGET names (which is read once), or the best. Throws Error (kind usage)
/// for a name that is unknown or can't run here, listing those that can.
void set_target(const std::string& name);

}  // namespace foveal
#pragma GCC visibility pop
