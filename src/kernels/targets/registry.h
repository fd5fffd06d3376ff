#pragma once
// Which targets this machine can use.

#include <string>
#include <vector>

#include "kernels/targets/target.h"

namespace foveal {

/// The targets that this CPU can run, from portable to the best.
const std::vector<const Target*>& usable_targets();

/// The target of that name; empty: the one that set_target or else FOVEAL_TARGET names, or the
/// best. Throws Error (kind usage) for a name that is unknown or unusable here, listing the usable
/// ones.
const Target& find_target(const std::string& name);

}  // namespace foveal
