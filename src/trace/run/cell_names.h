#pragma once
// What people call a cell: "Score(The, sat)", "K_sat[0]".

#include <string>
#include <vector>

#include "trace/run/record.h"

namespace foveal::trace {

/// A cell's place, with or without a head axis.
struct Place {
  std::int64_t head = 0, row = 0, column = 0;
};
Place place_of(const std::vector<std::int64_t>& cell);

/// The token as a report shows it: at most 16 columns wide, harmless to a terminal, and "the#8"
/// where it stands more than once.
std::string token_name(const Input& input, std::int64_t token);

/// "Score(The, sat)", "Weight(The, sat) of head 1", "K_sat[0]", "Context(The)[1]".
std::string cell_name(const Input& input, StepName step, const std::vector<std::int64_t>& cell);

/// The row that the cell is in: "K_sat", "the weights of The", "the context of The".
std::string row_name(const Input& input, StepName step, const std::vector<std::int64_t>& cell);

}  // namespace foveal::trace
