#pragma once
// Statistics on the command line: how they are asked for, and how they are written.

#include <string>

#include "foveal/attention.h"

namespace foveal::cli {

/// "top_k=4,entropy,maximum,column_mass,rows=[0,5]": any of these, each once. Throws Error (kind
/// usage) that names the place.
StatisticsOptions parse_statistics(const std::string& text);

/// Those that are there as a JSON object of nested lists.
std::string statistics_json(const Statistics& statistics);

}  // namespace foveal::cli
