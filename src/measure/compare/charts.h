#pragma once
// The charts of a comparison as one picture.

#include "draw/look.h"
#include "measure/compare/compare.h"

namespace foveal::measure {

/// `width` px wide: below 560, labels stand above their bars.
std::string compare_picture(const Comparison& comparison, const draw::Palette& palette,
                            double width);

}  // namespace foveal::measure
