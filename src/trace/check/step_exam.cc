#include "trace/check/step_exam.h"

#include <algorithm>
#include <cmath>

#include "core/filled.h"
#include "trace/check/agreement.h"
#include "trace/check/findings.h"
#include "trace/input/sizes.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {
namespace {

/// Where the weights aren't printed, as much as this may differ in them before a fill value shows.
constexpr double kUnseen = 5e-5;

/// [row] or [head, row] of a cell.
CellIndex row_key(const CellIndex& cell) { return {cell.begin(), cell.end() - 1}; }

/// The key of what may have gone into `cell` from an earlier step: a row of it, or its very cell.
CellIndex feeding(StepName from, const Place& place, StepName step, bool heads) {
  CellIndex key = {place.row};
  if (from == StepName::keys && is_logit(step)) key = {place.column};
  if (is_logit(from) && is_logit(step)) key = {place.row, place.column};
  if (heads) key.insert(key.begin(), place.head);
  return key;
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
  for (std::size_t i = 0; i < before_.size(); ++i) {
    if (before_[i].agrees) continue;
    last_cause_ = i;
    causes_[before_[i].step].emplace(row_key(before_[i].cell), i);
    if (is_logit(before_[i].step)) causes_[before_[i].step].emplace(before_[i].cell, i);
  }
}

void StepExam::look(std::initializer_list<void (StepExam::*)()> ways) {
  for (const auto way : ways) {
    if (!open().empty()) (this->*way)();
  }
}

void StepExam::explain() {
  look({&StepExam::remark_on_fills});
  if (is_given(step_)) {
    return look({&StepExam::name_whole_step, &StepExam::name_rows, &StepExam::name_swapped_cells,
                 &StepExam::name_cells});
  }
  look({&StepExam::name_following, &StepExam::remark_on_ties});
  if (slipped()) range_ = carried_.range(step_);
  // Where rounding may explain all that is left, no slip is looked for.
  if (all_in_range()) look({&StepExam::name_following_in_ranges});
  if (all_by_hand()) return look({&StepExam::name_by_hand});
  only_certain_ = range_.has_value();
  look({&StepExam::name_whole_step, &StepExam::name_following_in_ranges,
        &StepExam::name_whole_step_in_ranges, &StepExam::name_by_hand, &StepExam::name_rows,
        &StepExam::name_swapped_cells, &StepExam::name_shifted_operand, &StepExam::name_cells});
  only_certain_ = false;
  look({&StepExam::name_whole_step, &StepExam::name_cells, &StepExam::name_rounded_by_hand});
}

StepExam::Cells StepExam::open() {
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
  if (step_ != StepName::masked_scores) return;
  for (const Slip& slip : slips_) {
    if (slip.kind != "mask_fill_value" || !carried_.fits(slip, step_)) continue;
    if (carried_.shows_in_weights(slip, kUnseen)) continue;  // then it is a slip
    for (Finding& cell : cells_) {
      if (cell.agrees) continue;
      cell.agrees = true;
      cell.kind = slip.kind;
      cell.slip = filled("{} stands for −∞; here the weights are the same", cell.printed.text);
    }
    return;
  }
}

void StepExam::remark_on_ties() {
  for (Finding* cell : open()) {
    if (!is_float32_tie(cell->ours, cell->printed)) continue;
    cell->slip = "no slip: the last bits of a float32 round it the other way";
  }
}

std::optional<std::size_t> StepExam::source(const Finding& cell, bool must_feed) const {
  Place place = place_of(cell.cell);
  if (step_ == StepName::context) place.head = place.column / sizes_of(record_.input).D_v;
  for (auto at = static_cast<int>(step_) - 1; at >= 0; --at) {
    const auto from = static_cast<StepName>(at);
    const auto& causes = causes_[from];
    if (causes.empty() || (from == StepName::values && step_ < StepName::context)) continue;
    const bool heads = has_head_axis(record_.input, from);
    // Every row of these enters into every row of what comes later.
    const bool any_row = from == StepName::inputs || from == StepName::values ||
                         (from == StepName::keys && !is_logit(step_));
    if (any_row || (heads && step_ == StepName::output)) {
      const auto first = causes.lower_bound(
          heads && step_ != StepName::output ? CellIndex{place.head} : CellIndex{});
      if (first != causes.end()) return first->second;
      continue;
    }
    const auto found = causes.find(feeding(from, place, step_, heads));
    if (found != causes.end()) return found->second;
  }
  return must_feed ? std::nullopt : last_cause_;
}

void StepExam::follow(Finding* cell, std::size_t from) const {
  const Finding& cause = before_[from];
  cell->source = from;
  cell->kind = "follows";
  cell->slip =
      is_projection(cause.step)
          ? "follows from a misreading: " + misreading(record_.input, before_, cause)
          : filled("follows from {} as printed", row_name(record_.input, cause.step, cause.cell));
}

void StepExam::name_following() {
  if (!slipped()) return;
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

bool StepExam::all_by_hand() const {
  return !before_.empty() && std::all_of(cells_.begin(), cells_.end(), [this](const Finding& cell) {
    return !cell.is_open() || agrees(printed_.at(cell.cell), cell.printed);
  });
}

void StepExam::name_by_hand() {
  Cells cells;
  for (Finding* cell : open()) {
    if (agrees(printed_.at(cell->cell), cell->printed)) cells.push_back(cell);
  }
  if (cells.empty()) return;
  std::vector<Fit> fits = {{"rounded_early", kRounded, 1, share(cells)}};
  if (cells.size() == open().size()) {
    add_cut(&fits);
    add_slips(&fits);
  }
  decide(cells, fits);
}

void StepExam::name_rounded_by_hand() {
  if (before_.empty()) return;
  if (!range_) range_ = carried_.range(step_);
  for (Finding* cell : open()) {
    if (!in_range(*cell)) continue;
    decide({cell}, {{"rounded_early", kRounded, 1, share({cell})}});
  }
}

}  // namespace foveal::trace
