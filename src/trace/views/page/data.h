#pragma once
// What the page's script needs beyond the tables: of every cell its arithmetic and its sources.

#include <string>
#include <vector>

#include "trace/run/terms.h"
#include "trace/views/shown.h"

namespace foveal::trace {

/// A page shows all terms of a sum, as long as all their numbers are on the page.
Terms terms_on_page(const Record& record);

/// JSON for a <script type="application/json">, with < escaped.
std::string page_data(const Record& record, const std::vector<Shown>& matrices);

}  // namespace foveal::trace
