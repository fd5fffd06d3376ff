// Slips that a row or one number shows, beside others that are right.

#include <algorithm>
#include <cmath>

#include "core/filled.h"
#include "trace/check/agreement.h"
#include "trace/check/step_exam.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {
namespace {

/// Of more wrong numbers, each in an arithmetic of its own, a common reason is likelier.
constexpr std::size_t kMostAlone = 3;
constexpr std::size_t kMostSwapped = 8;  ///< open numbers of which two may have changed places
constexpr std::size_t kPens = 16;        ///< what the pen may have done to a number, about

std::vector<std::vector<Finding*>> rows_of(std::vector<Finding>& cells) {
  std::vector<std::vector<Finding*>> rows;
  for (Finding& cell : cells) {
    if (rows.empty() || !same_row(*rows.back().front(), cell)) rows.emplace_back();
    rows.back().push_back(&cell);
  }
  return rows;
}

std::vector<Finding*> open_of(const std::vector<Finding*>& row) {
  std::vector<Finding*> open;
  std::copy_if(row.begin(), row.end(), std::back_inserter(open),
               [](const Finding* cell) { return cell->is_open(); });
  return open;
}

/// The cell `rows` further down and `columns` further right, around the row's end; nothing where
/// there is no such row.
std::optional<CellIndex> moved(const CellIndex& cell, const Shape& shape, std::int64_t rows,
                               std::int64_t columns) {
  CellIndex other = cell;
  other[other.size() - 2] += rows;
  const std::int64_t row = other[other.size() - 2];
  if (row < 0 || row >= shape[shape.size() - 2]) return std::nullopt;
  other.back() = (other.back() + columns + shape.back()) % shape.back();
  return other;
}

}  // namespace

bool StepExam::row_is(const Cells& row, std::int64_t rows, std::int64_t columns) const {
  return std::all_of(row.begin(), row.end(), [&](const Finding* cell) {
    const auto other = moved(cell->cell, exact_.shape(), rows, columns);
    if (!other) return false;
    if (agrees(exact_.at(*other), cell->printed)) return true;
    if (!range_) return false;
    return meet(range_->at(*other), interval_of(cell->printed));
  });
}

std::vector<Fit> StepExam::fits_of_row(const Cells& row) {
  const Cells cells = open_of(row);
  std::vector<Fit> fits;
  const std::string name = row_name(record_.input, step_, row.front()->cell);
  const auto add = [&](const std::string& text) {
    fits.push_back({"row_shifted", text, 4, share(cells)});
  };
  if (cells.size() == 2) add_swapped(*cells[0], *cells[1], 1, &fits);
  for (const Cells& other : rows_of(cells_)) {
    const Place from = place_of(row.front()->cell), to = place_of(other.front()->cell);
    const std::int64_t away = to.row - from.row;
    if (away == 0 || to.head != from.head || !row_is(row, away, 0) || !row_is(other, -away, 0)) {
      continue;
    }
    fits.push_back({"cells_swapped",
                    filled("{} and {} changed places", name,
                           row_name(record_.input, step_, other.front()->cell)),
                    cells_.size(), share(cells)});
  }
  for (const std::int64_t away : {1, -1}) {
    const auto other = moved(row.front()->cell, exact_.shape(), away, 0);
    if (!other || !row_is(row, away, 0)) continue;
    add(filled("a neighbouring row was taken: {} in place of {}",
               row_name(record_.input, step_, *other), name));
  }
  for (const std::int64_t away : {1, -1}) {
    if (exact_.size(-1) < 3 || !row_is(row, 0, away)) continue;
    add(filled("{} moved by one place", name));
  }
  return fits;
}

void StepExam::add_row(std::vector<Fit>* fits) {
  Cells open_row;
  for (const Cells& row : rows_of(cells_)) {
    if (open_of(row).empty()) continue;
    if (!open_row.empty()) return;  // more than one
    open_row = row;
  }
  for (const Fit& fit : fits_of_row(open_row)) fits->push_back(fit);
}

void StepExam::name_rows() {
  std::vector<Proposal> proposals;
  for (const Cells& row : rows_of(cells_)) {
    const Cells cells = open_of(row);
    if (cells.empty()) continue;
    const std::vector<Fit> fits = fits_of_row(row);
    if (!fits.empty()) proposals.push_back({cells, fits});
  }
  decide_together(proposals);
}

void StepExam::add_swapped(Finding& one, Finding& other, std::size_t tried,
                           std::vector<Fit>* fits) {
  const double first = exact_.at(one.cell), second = exact_.at(other.cell);
  if (!agrees(second, one.printed) || !agrees(first, other.printed)) return;
  fits->push_back({"cells_swapped",
                   filled("{} and {} changed places", cell_name(record_.input, step_, one.cell),
                          cell_name(record_.input, step_, other.cell)),
                   tried, share({&one, &other})});
}

void StepExam::name_swapped_cells() {
  const Cells cells = open();
  const std::size_t pairs = cells.size() * (cells.size() - 1) / 2;
  if (cells.size() > kMostSwapped) return;
  for (std::size_t a = 0; a < cells.size(); ++a) {
    for (std::size_t b = a + 1; b < cells.size(); ++b) {
      if (!cells[a]->is_open() || !cells[b]->is_open()) continue;
      std::vector<Fit> fits;
      add_swapped(*cells[a], *cells[b], pairs, &fits);
      decide({cells[a], cells[b]}, fits);
    }
  }
}

std::vector<Alternative> StepExam::alternatives_in(Reading reading, const CellIndex& cell) const {
  const Tensor& data = reading == Reading::exact ? exact_ : printed_;
  const Steps& steps = carried_.steps(reading);
  std::vector<Alternative> all = alternatives_of(record_.input, steps, data, step_, cell);
  // A slip in a score that isn't printed shows in its scaled one.
  const bool from_scores = step_ == StepName::scaled_scores || step_ == StepName::masked_scores;
  if (!from_scores || carried_.is_printed(StepName::scores)) return all;
  const Tensor& scores = steps[StepName::scores];
  const double factor = data.at(cell) / scores.at(cell);
  for (Alternative one : alternatives_of(record_.input, steps, scores, StepName::scores, cell)) {
    one.value *= factor;
    if (std::isfinite(one.value)) all.push_back(one);
  }
  return all;
}

std::vector<CellSlip> StepExam::slips_of_cell(const Finding& cell, bool alone) const {
  Wanted wanted{exact_.at(cell.cell), printed_.at(cell.cell)};
  if (range_) {
    const Interval interval = range_->at(cell.cell);
    if (interval.radius > 0) wanted.range = interval;
  }
  std::vector<CellSlip> slips = pen_slips(wanted, cell.printed);
  if (is_given(step_) || !alone) return slips;
  std::size_t tried = kPens;
  for (const Reading reading : {Reading::exact, Reading::printed}) {
    for (const Alternative& one : alternatives_in(reading, cell.cell)) {
      ++tried;
      if (agrees(one.value, cell.printed)) slips.push_back({one.kind, one.text, tried, one.value});
    }
  }
  return slips;
}

std::vector<Fit> StepExam::fits_of_cell(Finding& cell, std::size_t beside) const {
  std::vector<Fit> fits;
  for (const CellSlip& slip : slips_of_cell(cell, beside <= kMostAlone)) {
    Fit fit{slip.kind, slip.text, slip.tried * beside, share({&cell})};
    // Of swapped digits those that aren't printed are not known.
    if (slip.kind != "digits_swapped") fit.meant = slip.value;
    fits.push_back(fit);
  }
  return fits;
}

void StepExam::name_cells() {
  const Cells cells = open();
  // One number among whole numbers has too few digits to tell; what fits is said all the same.
  if (cells.size() == 1) {
    const Needs needs = is_whole() ? Needs::nothing : Needs::digits;
    return decide(cells, fits_of_cell(*cells.front(), 1), needs);
  }
  std::vector<Proposal> proposals;
  for (Finding* cell : cells) {
    const std::vector<Fit> fits = fits_of_cell(*cell, cells.size());
    if (!fits.empty()) proposals.push_back({{cell}, fits});
  }
  decide_together(proposals);
}

}  // namespace foveal::trace
