#include "trace/check/printed.h"

#include <algorithm>

#include "foveal/error.h"
#include "trace/check/agreement.h"
#include "trace/input/sizes.h"

namespace foveal::trace {

std::vector<PlacedNumber> numbers_of(const Input& input, const ExpectedStep& expected) {
  const bool by_head = has_head_axis(input, expected.name);
  std::vector<PlacedNumber> numbers;
  for (std::size_t h = 0; h < expected.heads.size(); ++h) {
    for (std::size_t i = 0; i < expected.heads[h].size(); ++i) {
      for (std::size_t j = 0; j < expected.heads[h][i].size(); ++j) {
        const auto& printed = expected.heads[h][i][j];
        if (!printed) continue;
        std::vector<std::int64_t> cell = {static_cast<std::int64_t>(i),
                                          static_cast<std::int64_t>(j)};
        if (by_head) cell.insert(cell.begin(), static_cast<std::int64_t>(h));
        numbers.push_back({std::move(cell), *printed});
      }
    }
  }
  return numbers;
}

std::vector<Finding> printed_cells(const Record& record, const ExpectedStep& expected) {
  const Step* step = find_step(record, expected.name);
  if (step == nullptr) {
    throw Error("/expected/" + text(expected.name) +
                ": this input has no such step: remove it, or add the setting that makes it");
  }
  std::vector<Finding> cells;
  for (const PlacedNumber& number : numbers_of(record.input, expected)) {
    const double ours = step->data.at(number.cell);
    cells.push_back(
        {expected.name, number.cell, number.printed, ours, agrees(ours, number.printed)});
  }
  return cells;
}

bool same_row(const Finding& a, const Finding& b) {
  return a.cell.size() == b.cell.size() &&
         std::equal(a.cell.begin(), a.cell.end() - 1, b.cell.begin());
}

}  // namespace foveal::trace
