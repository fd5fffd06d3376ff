#include "trace/run/cell_names.h"

#include <algorithm>

#include "core/filled.h"
#include "draw/terminal.h"
#include "draw/text.h"

namespace foveal::trace {

namespace {

std::string of_head(const std::vector<std::int64_t>& cell) {
  return cell.size() == 3 ? filled(" of head {}", cell[0]) : "";
}

}  // namespace

Place place_of(const std::vector<std::int64_t>& cell) {
  if (cell.size() == 3) return {cell[0], cell[1], cell[2]};
  return {0, cell[0], cell[1]};
}

std::string token_name(const Input& input, std::int64_t token) {
  const std::string& text = input.tokens[static_cast<std::size_t>(token)];
  const auto times = std::count(input.tokens.begin(), input.tokens.end(), text);
  return draw::terminal::cut(draw::visible(text), 16) + (times > 1 ? filled("#{}", token) : "");
}

std::string cell_name(const Input& input, StepName step, const std::vector<std::int64_t>& cell) {
  const Place place = place_of(cell);
  const StepWords& word = words_of(step);
  const std::string row = token_name(input, place.row);
  if (is_pairwise(step)) {
    return filled("{}({}, {}){}", word.cell, row, token_name(input, place.column), of_head(cell));
  }
  if (word.row[0] != 0) return filled("{}({})[{}]", word.cell, row, place.column);
  return filled("{}_{}[{}]{}", word.cell, row, place.column, of_head(cell));
}

std::string row_name(const Input& input, StepName step, const std::vector<std::int64_t>& cell) {
  const StepWords& word = words_of(step);
  const std::string row = token_name(input, place_of(cell).row);
  if (word.row[0] != 0) return filled("{} of {}{}", word.row, row, of_head(cell));
  return filled("{}_{}{}", word.cell, row, of_head(cell));
}

}  // namespace foveal::trace
