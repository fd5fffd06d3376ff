#include "trace/check/step_exam.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "trace/check/agreement.h"
#include "trace/check/findings.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {
namespace {

/// Where the weights aren't printed, as much as this may differ in them before a fill value shows.
constexpr double kUnseen = 5e-5;

/// Whether a wrong number `cause` of an earlier step enters into `cell`.
bool feeds(const Finding& cause, const Finding& cell) {
  const Place from = place_of(cause.cell);
  const Place to = place_of(cell.cell);
  const bool same_head = cause.cell.size() < 3 || cell.cell.size() < 3 || from.head == to.head;
  if (!same_head) return false;
  if (cause.step == StepName::inputs || cause.step == StepName::values) return true;
  if (cause.step == StepName::keys) return !is_logit(cell.step) || from.row == to.column;
  if (is_logit(cause.step) && is_logit(cell.step)) {
    return from.row == to.row && from.column == to.column;
  }
  return from.row == to.row;
}

constexpr const char* kRounded = "computed from the numbers printed before, which are rounded";

}  // namespace

StepExam::StepExam(const Record& record, const std::vector<Slip>& slips,
                   const std::vector<Finding>& before, std::vector<Finding>& cells,
                   Carried& carried)
    : record_(record),
      slips_(slips),
      before_(before),
      cells_(cells),
      carried_(carried),
      step_(cells.front().step),
      exact_(carried.next(step_, Reading::exact)),
      printed_(carried.next(step_, Reading::printed)) {
  double lowest = HUGE_VAL, highest = -HUGE_VAL;
  for (const Finding& cell : cells_) {
    for (const double value : {cell.ours, cell.printed.value}) {
      if (!std::isfinite(value)) continue;
      lowest = std::min(lowest, value);
      highest = std::max(highest, value);
    }
  }
  span_ = std::max(0.0, highest - lowest);
}

void StepExam::explain() {
  if (step_ == StepName::masked_scores) remark_on_fills();
  const bool computed = !is_given(step_);
  if (computed && slipped()) name_following();
  if (computed && slipped() && !open().empty()) range_ = carried_.range(step_);
  // Where rounding may explain all that is left, no slip is looked for.
  if (range_ && !carried_.is_exact() && all_in_range()) name_following_in_ranges();
  only_certain_ = range_.has_value();
  if (!open().empty()) name_whole_step();
  if (range_ && !open().empty()) {
    name_following_in_ranges();
    if (!open().empty() && !carried_.is_exact()) name_whole_step_in_ranges();
  }
  if (!open().empty()) name_swapped_cells();
  if (!open().empty()) name_rows();
  if (computed && !open().empty()) name_misread_operand();
  if (computed && !open().empty()) name_shifted_operand();
  if (!open().empty()) name_cells();
  only_certain_ = false;
  if (!open().empty()) name_whole_step();
  if (!open().empty()) name_cells();
  if (computed && !open().empty() && !before_.empty()) name_rounded_by_hand();
}

StepExam::Cells StepExam::open() const {
  Cells cells;
  for (Finding& cell : cells_) {
    if (cell.is_open()) cells.push_back(&cell);
  }
  return cells;
}

bool StepExam::slipped() const {
  return std::any_of(before_.begin(), before_.end(), [](const auto& cell) { return !cell.agrees; });
}

void StepExam::remark_on_fills() {
  for (const Slip& slip : slips_) {
    if (slip.kind != "mask_fill_value" || !carried_.fits(slip, step_)) continue;
    if (carried_.shows_in_weights(slip, kUnseen)) continue;  // then it is a slip
    for (Finding& cell : cells_) {
      if (cell.agrees) continue;
      cell.agrees = true;
      cell.kind = slip.kind;
      cell.slip = fmt::format("{} stands for −∞; here the weights are the same", cell.printed.text);
    }
    return;
  }
}

std::optional<std::size_t> StepExam::source(const Finding& cell, bool must_feed) const {
  std::optional<std::size_t> nearest, any;
  for (std::size_t i = 0; i < before_.size(); ++i) {
    const Finding& cause = before_[i];
    if (cause.agrees) continue;
    any = i;
    if (!feeds(cause, cell)) continue;
    if (!nearest || before_[*nearest].step < cause.step) nearest = i;
  }
  return nearest || must_feed ? nearest : any;
}

void StepExam::follow(Finding* cell, std::size_t from) const {
  const Finding& cause = before_[from];
  cell->source = from;
  cell->kind = "follows";
  cell->slip = is_projection(cause.step)
                   ? "follows from a misreading: " + misreading(record_.input, before_, cause)
                   : fmt::format("follows from {} as printed",
                                 row_name(record_.input, cause.step, cause.cell));
}

void StepExam::name_following() {
  for (Finding* cell : open()) {
    const bool exactly = agrees(exact_.at(cell->cell), cell->printed);
    if (!exactly && !agrees(printed_.at(cell->cell), cell->printed)) continue;
    if (const auto from = source(*cell, !exactly)) follow(cell, *from);
  }
}

bool StepExam::in_range(const Finding& cell) const {
  return range_ && meet(range_->at(cell.cell), interval_of(cell.printed));
}

bool StepExam::all_in_range() const {
  return std::all_of(cells_.begin(), cells_.end(),
                     [this](const Finding& cell) { return !cell.is_open() || in_range(cell); });
}

void StepExam::name_following_in_ranges() {
  for (Finding* cell : open()) {
    if (!in_range(*cell)) continue;
    if (const auto from = source(*cell, true)) follow(cell, *from);
  }
}

void StepExam::name_rounded_by_hand() {
  if (!range_) range_ = carried_.range(step_);
  for (Finding* cell : open()) {
    if (!in_range(*cell)) continue;
    decide({cell}, {{"rounded_early", kRounded, 1, share({cell})}});
  }
}

}  // namespace foveal::trace
