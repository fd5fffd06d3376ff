#pragma once
// lint() where lengths and places are known.

#include <vector>

#include "attention/mask/node.h"
#include "foveal/mask.h"

namespace foveal {

/// As lint() of the shape's lengths, its places counted in.
std::vector<MaskWarning> lint_shape(const Mask& mask, const MaskShape& shape);

}  // namespace foveal
