// Slips that explain a whole step.

#include <algorithm>
#include <cmath>

#include "trace/check/agreement.h"
#include "trace/check/step_exam.h"

namespace foveal::trace {
void StepExam::name_whole_step() {
  const Cells cells = open();
  // What one number shows may be a slip of that number as well.
  std::vector<Fit> fits;
  if (cells.size() == 1 && !range_) fits = fits_of_cell(*cells.front(), 1);
  add_cut(&fits);
  add_slips(&fits);
  if (!std::any_of(fits.begin(), fits.end(), [](const Fit& fit) { return fit.slip != nullptr; })) {
    add_other_dropout(&fits);
  }
  add_row(&fits);
  add_misread_operands(&fits);
  const bool by_nothing = step_ == StepName::dropout_mask || (cells.size() == 1 && is_whole());
  decide(cells, fits, by_nothing ? Needs::nothing : Needs::digits);
  for (Finding* cell : cells) {
    if (cell->kind == "cut") cell->meant = exact_.at(cell->cell);
  }
}

void StepExam::add_cut(std::vector<Fit>* fits) {
  const Cells cells = open();
  const bool all = std::all_of(cells.begin(), cells.end(), [this](const Finding* cell) {
    return cut_instead_of_rounded(exact_.at(cell->cell), cell->printed);
  });
  if (!all || !carried_.is_exact()) return;
  const double first = exact_.at(cells.front()->cell);
  fits->push_back(
      {"cut", pen_slips({first, first}, cells.front()->printed).front().text, 1, share(cells)});
}

void StepExam::add_slips(std::vector<Fit>* fits) {
  const double left = share(open());
  const std::size_t first = fits->size();
  std::size_t tried = 0;
  for (const Slip& slip : slips_) {
    if (slip.step > step_) continue;
    const Carried::Outcome outcome = carried_.attempt(slip, step_);
    if (outcome != Carried::Outcome::contradicted) ++tried;
    if (outcome == Carried::Outcome::explains)
      fits->push_back({slip.kind, slip.text, 0, left, &slip});
  }
  for (std::size_t i = first; i < fits->size(); ++i) (*fits)[i].tried = tried;
}

bool StepExam::explains_in_ranges(const Slip& slip, Fit* fit) const {
  Recipe changed = carried_.recipe();
  slip.plant(changed);
  const Tensor rough = changed[step_](carried_.steps(Reading::printed));
  for (const Finding& cell : cells_) {
    const double distance = std::abs(rough.at(cell.cell) - cell.printed.value);
    if (distance > 0.1 * span_) return false;
  }
  const Range range = carried_.range(step_, changed[step_]);
  for (const Finding& cell : cells_) {
    const Interval interval = range.at(cell.cell);
    if (!meet(interval, interval_of(cell.printed))) return false;
    if (cell.is_open()) fit->share += log_share(cell, interval.radius);
  }
  return true;
}

void StepExam::name_whole_step_in_ranges() {
  if (before_.empty()) return;
  std::vector<Fit> fits;
  for (const Slip& slip : slips_) {
    if (slip.step != step_) continue;
    Fit fit{slip.kind, slip.text, slips_.size(), 0, &slip};
    if (explains_in_ranges(slip, &fit)) fits.push_back(fit);
  }
  decide(open(), fits);
}

}  // namespace foveal::trace
