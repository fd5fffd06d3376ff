#include "trace/check/step_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "trace/check/agreement.h"
#include "trace/run/arithmetic.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {

namespace {

bool all_agree(const Tensor& data, const std::vector<Finding*>& cells) {
  return std::all_of(cells.begin(), cells.end(), [&data](const Finding* cell) {
    return agrees(data.at(cell->cell), cell->printed);
  });
}

/// How surprising it is that a wrong number hits a given one by chance, in bits.
double surprise(const Finding& cell, double span) {
  if (!std::isfinite(cell.printed.value)) return 2;
  return std::log2(1 + span / (2 * std::max(half_unit(cell.printed), 1e-9)));
}

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

/// A number at the decimals it was printed with.
std::string at_decimals(double value, const PrintedNumber& printed) {
  return fmt::format("{:.{}f}", value, std::max(printed.decimals, 0));
}

/// "0.24473 rounds to 0.2447", with as many digits as it takes to see what was cut.
std::string cut_text(double right, const PrintedNumber& printed) {
  const int decimals = std::max(printed.decimals, 0);
  const std::string cut = at_decimals(printed.value, printed);
  std::string shown;
  for (int more = 2; more < 9 && shown.compare(0, cut.size(), cut) != 0; ++more) {
    shown = fmt::format("{:.{}f}", right, decimals + more);
  }
  return fmt::format("cut instead of rounded: {} rounds to {}", shown, at_decimals(right, printed));
}

std::string swapped_text(double right, const PrintedNumber& printed) {
  return fmt::format("two digits swapped: {} became {}", at_decimals(right, printed), printed.text);
}

std::string following_text(const Input& input, const std::vector<Finding>& before,
                           const Finding& cause) {
  if (is_projection(cause.step))
    return "follows from a misreading: " + misreading(input, before, cause);
  return fmt::format("follows from {} as printed", row_name(input, cause.step, cause.cell));
}

}  // namespace

StepCheck::StepCheck(const Record& record, const std::vector<Finding>& before,
                     std::vector<Finding>& cells)
    : record_(record), before_(before), cells_(cells), step_(cells.front().step) {
  double lowest = 0;
  double highest = 0;
  for (Finding& cell : cells_) {
    if (rows_.empty() || !same_row(*rows_.back().front(), cell)) rows_.emplace_back();
    rows_.back().push_back(&cell);
    for (const double value : {cell.ours, cell.printed.value}) {
      if (!std::isfinite(value)) continue;
      lowest = std::min(lowest, value);
      highest = std::max(highest, value);
    }
  }
  span_ = highest - lowest;
}

bool StepCheck::is_open(const Row& row) const {
  return std::any_of(row.begin(), row.end(), [this](const Finding* c) { return is_open(*c); });
}

bool StepCheck::has_open() const {
  return std::any_of(cells_.begin(), cells_.end(), [this](const Finding& c) { return is_open(c); });
}

std::optional<std::size_t> StepCheck::source(const Finding& cell) const {
  std::optional<std::size_t> nearest;
  for (std::size_t i = 0; i < before_.size(); ++i) {
    const Finding& cause = before_[i];
    if (cause.agrees || !feeds(cause, cell)) continue;
    if (!nearest || comes_before(before_[*nearest].step, cause.step)) nearest = i;
  }
  return nearest;
}

void StepCheck::name_cuts() {
  const bool all = std::all_of(cells_.begin(), cells_.end(), [](const Finding& c) {
    return c.agrees || !c.slip.empty() || cut_instead_of_rounded(c.ours, c.printed);
  });
  if (!all) return;
  for (Finding& cell : cells_) {
    if (is_open(cell)) cell.slip = cut_text(cell.ours, cell.printed);
  }
}

bool StepCheck::row_follows(const Row& row, const Tensor& carried, const Tensor& slack) const {
  return std::all_of(row.begin(), row.end(), [&](const Finding* cell) {
    const double value = carried.at(cell->cell);
    if (agrees(value, cell->printed)) return true;
    if (!slack.defined()) return false;
    // Rounding may explain the distance to `carried` only where it can't explain the one to ours.
    const double room = half_unit(cell->printed) + slack.at(cell->cell);
    return std::abs(value - cell->printed.value) <= room &&
           (cell->agrees || std::abs(cell->ours - cell->printed.value) > 2 * room);
  });
}

void StepCheck::name_following(const Tensor& carried, const Tensor& slack) {
  for (const Row& row : rows_) {
    if (!is_open(row) || !row_follows(row, carried, slack)) continue;
    for (Finding* cell : row) {
      if (!is_open(*cell)) continue;
      cell->source = source(*cell);
      if (!cell->source) continue;
      cell->slip = following_text(record_.input, before_, before_[*cell->source]);
    }
  }
}

bool StepCheck::explains(const Tensor& data, const std::vector<Finding*>& cells,
                         std::size_t candidates, double surplus) const {
  if (!all_agree(data, cells)) return false;
  double bits = 0;
  for (const Finding* cell : cells) {
    if (!cell->agrees) bits += surprise(*cell, span_);
  }
  return bits >= std::log2(static_cast<double>(candidates)) + surplus;
}

std::optional<Slip> StepCheck::name_usual(const Base& base, const std::string& remark) {
  if (!has_open()) return std::nullopt;
  const std::vector<Slip> slips = usual_slips(record_, step_);
  const std::size_t candidates = slips.size() + 2;  // and the two neighbours of a row
  // Two slips at once are rarer than one: they must explain more.
  const double surplus = base.substitutions.empty() ? 3 : 6;
  std::vector<Finding*> whole;
  for (const Row& row : rows_) {
    const bool explained = !is_open(row) && std::any_of(row.begin(), row.end(),
                                                        [](const auto* c) { return !c->agrees; });
    if (!explained) whole.insert(whole.end(), row.begin(), row.end());
  }
  std::vector<Tensor> results;
  for (const Slip& slip : slips) {
    ChangedRun wrong = base.recipe;
    slip.plant(wrong);
    results.push_back(recompute(record_, wrong, base.substitutions).at(step_));
    if (!explains(results.back(), whole, candidates, surplus)) continue;
    for (Finding* cell : whole) {
      if (is_open(*cell)) cell->slip = slip.text + remark;
    }
    return slip;
  }
  const Tensor right = recompute(record_, base.recipe, base.substitutions).at(step_);
  // One row alone is more likely taken from beside it than computed in another way.
  for (const Row& row : rows_) {
    if (is_open(row)) name_neighbour_row(row, right, remark);
    for (std::size_t i = 0; i < slips.size() && is_open(row); ++i) {
      if (explains(results[i], row, candidates, surplus)) {
        name_row(row, slips[i].text + remark, results[i]);
      }
    }
  }
  return std::nullopt;
}

void StepCheck::name_row(const Row& row, const std::string& slip, const Tensor& data) {
  for (Finding* cell : row) {
    if (!is_open(*cell)) continue;
    cell->slip = slip;
    roots_.push_back({step_, cell->cell, data.at(cell->cell), 0});
  }
}

void StepCheck::name_neighbour_row(const Row& row, const Tensor& data, const std::string& remark) {
  const Place place = place_of(row.front()->cell);
  for (const std::int64_t step : {-1, 1}) {
    const std::int64_t other = place.row + step;
    if (other < 0 || other >= data.size(-2)) continue;
    // The step with this row replaced by the other.
    Tensor replaced = data.clone();
    Tensor matrix = data.rank() == 3 ? replaced[place.head] : replaced;
    const Tensor source_matrix = data.rank() == 3 ? data[place.head] : data;
    matrix[place.row].copy_(source_matrix[other]);
    if (!explains(replaced, row, 2, 2)) continue;
    std::vector<std::int64_t> cell = row.front()->cell;
    cell[cell.size() - 2] = other;
    name_row(row,
             fmt::format("a neighbouring row was taken: {} in place of {}{}",
                         row_name(record_.input, step_, cell),
                         row_name(record_.input, step_, row.front()->cell), remark),
             replaced);
    return;
  }
}

void StepCheck::name_neighbour_key(Finding& cell, const Tensor& data) {
  if (!is_logit(step_)) return;
  const Place place = place_of(cell.cell);
  for (const std::int64_t step : {-1, 1}) {
    const std::int64_t other = place.column + step;
    if (other < 0 || other >= data.size(-1)) continue;
    std::vector<std::int64_t> neighbour = cell.cell;
    neighbour.back() = other;
    const double value = data.at(neighbour);
    if (!agrees(value, cell.printed) || surprise(cell, span_) < 5) continue;
    cell.slip =
        fmt::format("a neighbouring row of K was taken: K_{} in place of K_{}",
                    token_name(record_.input, other), token_name(record_.input, place.column));
    return;
  }
}

void StepCheck::name_single(const Tensor& right) {
  for (Finding& cell : cells_) {
    if (!is_open(cell)) continue;
    const double value = right.at(cell.cell);
    if (cut_instead_of_rounded(value, cell.printed)) {
      cell.slip = cut_text(value, cell.printed);
    } else if (two_digits_swapped(value, cell.printed)) {
      cell.slip = swapped_text(value, cell.printed);
      roots_.push_back({step_, cell.cell, cell.printed.value, half_unit(cell.printed)});
    } else {
      name_neighbour_key(cell, right);
    }
  }
}

void StepCheck::name_rounding(const Tensor& rounded) {
  for (const Row& row : rows_) {
    if (!is_open(row) || !all_agree(rounded, row)) continue;
    for (Finding* cell : row) {
      if (is_open(*cell))
        cell->slip = "computed from the numbers printed before, which are rounded";
    }
  }
}

const std::vector<Substitution>& StepCheck::roots() {
  for (const Finding& cell : cells_) {
    if (is_open(cell)) {
      roots_.push_back({step_, cell.cell, cell.printed.value, half_unit(cell.printed)});
    }
  }
  return roots_;
}

}  // namespace foveal::trace
