#pragma once
// What the page shows: every step, and the W and b that go into them, in reading order.

#include <string>
#include <vector>

#include "trace/views/shown.h"

namespace foveal::trace {

/// Parameters stand before the step that they go into.
std::vector<Shown> page_matrices(const Record& record);

}  // namespace foveal::trace
