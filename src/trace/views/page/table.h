#pragma once
// One matrix as HTML tables, one a head.

#include <string>

#include "trace/views/shown.h"

namespace foveal::trace {

/// The classes of a cell's heat are p0 .. p40 for positive and n1 .. n40 for negative numbers.
inline constexpr int kHeatLevels = 40;

/// `number` stands in the tables for the matrix in the page's data.
std::string tables(const Record& record, const Shown& shown, std::size_t number);

}  // namespace foveal::trace
