#pragma once
// What the page's script needs beyond the tables: of every cell its arithmetic and its sources.

#include <string>
#include <vector>

#include "trace/views/shown.h"

namespace foveal::trace {

/// JSON for a <script type="application/json">, with < escaped.
std::string page_data(const Record& record, const std::vector<Shown>& matrices);

}  // namespace foveal::trace
