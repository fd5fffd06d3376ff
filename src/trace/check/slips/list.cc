#include "trace/check/slips/list.h"

#include <algorithm>
#include <cmath>

#include "trace/check/printed.h"

namespace foveal::trace {
namespace {

/// What is printed for −∞: a finite number stands for it in many programs.
std::vector<double> printed_fills(const Record& record) {
  std::vector<double> fills;
  const Step* masked = find_step(record, StepName::masked_scores);
  for (const ExpectedStep& expected : record.input.expected) {
    if (expected.name != StepName::masked_scores) continue;
    for (const PlacedNumber& number : numbers_of(record.input, expected)) {
      const bool fill =
          std::isinf(masked->data.at(number.cell)) && std::isfinite(number.printed.value);
      const bool known = std::find(fills.begin(), fills.end(), number.printed.value) != fills.end();
      if (fill && !known && fills.size() < 4) fills.push_back(number.printed.value);
    }
  }
  return fills;
}

}  // namespace

std::vector<Slip> slips_of(const Record& record) {
  SlipList list(record.input);
  add_scale_slips(&list);
  add_mask_slips(printed_fills(record), &list);
  add_softmax_slips(&list);
  add_operand_slips(&list);
  add_projection_slips(&list);
  add_head_slips(&list);
  add_dropout_slips(&list);
  add_rounding_slips(&list);
  add_lost_term_slips(&list);
  add_row_slips(&list);
  return list.take();
}

}  // namespace foveal::trace
