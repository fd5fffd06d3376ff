#include "trace/check/findings.h"

#include <algorithm>
#include <cmath>

#include "core/filled.h"
#include "draw/text.h"
#include "foveal/error.h"
#include "trace/check/step_exam.h"
#include "trace/run/arithmetic.h"
#include "trace/run/cell_names.h"
#include "trace/run/numbers.h"

namespace foveal::trace {

namespace {

/// The record with the numbers that were carried on.
Record carried_record(const Record& record, const Carried& carried) {
  Record result = record;
  for (Step& step : result.steps) {
    step.data = carried.steps(Reading::exact)[step.name].contiguous();
    step.digits = digits_of(step.data);
  }
  return result;
}

}  // namespace

bool all_agree(const std::vector<Finding>& cells) {
  return std::all_of(cells.begin(), cells.end(), [](const Finding& cell) { return cell.agrees; });
}

Findings find_slips(const Record& record) {
  PerStep<std::vector<Finding>> cells;
  std::vector<Finding> all;
  for (const ExpectedStep& expected : record.input.expected) {
    cells[expected.name] = printed_cells(record, expected);
    all.insert(all.end(), cells[expected.name].begin(), cells[expected.name].end());
  }
  if (all.empty()) {
    throw Error(
        "/expected: missing or without a number: add the printed numbers to check, a step by its "
        "name");
  }
  if (all_agree(all)) return {std::move(all), record};
  const std::vector<Slip> slips = slips_of(record);
  Carried carried(record, cells);
  all.clear();
  for (const StepName step : kAllSteps) {
    if (!all_agree(cells[step])) StepExam(record, slips, all, cells[step], carried).explain();
    carried.settle(step);
    all.insert(all.end(), cells[step].begin(), cells[step].end());
  }
  return {std::move(all), carried_record(record, carried)};
}

std::string misreading(const Input& input, const std::vector<Finding>& findings,
                       const Finding& cell) {
  constexpr std::size_t longest = 8;
  const Sizes sizes = sizes_of(input);
  const auto width = static_cast<std::size_t>(cell.step == StepName::values ? sizes.D_v : sizes.D);
  std::vector<std::string> printed;
  std::vector<std::string> ours;
  for (const Finding& other : findings) {
    if (other.step != cell.step || !same_row(other, cell)) continue;
    printed.push_back(draw::visible(other.printed.text));
    ours.push_back(shown_beside(other));
  }
  if (printed.size() < width || width > longest) {
    return filled("{} is {}, not {}", cell_name(input, cell.step, cell.cell), shown_beside(cell),
                  draw::visible(cell.printed.text));
  }
  return filled("{} is [{}], not [{}]", row_name(input, cell.step, cell.cell),
                joined_with(ours, ", "), joined_with(printed, ", "));
}

std::string shown_beside(const Finding& cell) {
  if (std::trunc(cell.ours) == cell.ours) return show(cell.ours, 0);
  return show(cell.ours, std::max(4, cell.printed.decimals));
}

}  // namespace foveal::trace
