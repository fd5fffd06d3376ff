// Weights dropped by other draws than this seed's.

#include <algorithm>
#include <cmath>

#include "core/filled.h"
#include "foveal/operations.h"
#include "trace/check/agreement.h"
#include "trace/check/step_exam.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {
namespace {

constexpr std::size_t kMostSearched = 12;  ///< of a row whose every way to drop is tried

Slip other_mask(const Tensor& mask, double p, const std::string& text) {
  return {"dropout_other_mask", StepName::dropped_weights, text, [mask, p](Recipe& recipe) {
            recipe[StepName::dropped_weights] = [mask, p](const Steps& before) {
              return before[StepName::weights] * mask * (1 / (1 - p));
            };
          }};
}

/// The printed context of one query in one head.
struct PrintedRow {
  std::int64_t head = 0, row = 0;
  std::vector<const Finding*> cells;
};

std::vector<PrintedRow> rows_of(const std::vector<Finding>& cells, std::int64_t width) {
  std::vector<PrintedRow> rows;
  for (const Finding& cell : cells) {
    const Place place = place_of(cell.cell);
    const std::int64_t head = place.column / width;
    if (rows.empty() || rows.back().row != place.row || rows.back().head != head) {
      rows.push_back({head, place.row, {}});
    }
    rows.back().cells.push_back(&cell);
  }
  return rows;
}

/// Sets the row of `mask` to what gives the printed numbers; false where nothing does. Counts what
/// was tried.
bool find_dropped(const PrintedRow& row, const Tensor& weights, const Tensor& values, double p,
                  Tensor mask, std::size_t* tried) {
  std::vector<std::int64_t> keys;
  for (std::int64_t j = 0; j < weights.size(-1); ++j) {
    if (weights.at({row.row, j}) != 0) keys.push_back(j);
  }
  if (keys.size() > kMostSearched) return false;
  const std::size_t ways = std::size_t{1} << keys.size();
  *tried += ways;
  for (std::size_t way = 0; way < ways; ++way) {
    const bool all = std::all_of(row.cells.begin(), row.cells.end(), [&](const Finding* cell) {
      const std::int64_t column = cell->cell.back() % values.size(-1);
      double sum = 0;
      for (std::size_t k = 0; k < keys.size(); ++k) {
        if ((way >> k & 1) == 0) continue;
        sum += weights.at({row.row, keys[k]}) * values.at({keys[k], column});
      }
      return agrees(sum / (1 - p), cell->printed);
    });
    if (!all) continue;
    for (std::size_t k = 0; k < keys.size(); ++k) {
      mask.set({row.row, keys[k]}, static_cast<double>(way >> k & 1));
    }
    return true;
  }
  return false;
}

}  // namespace

void StepExam::add_other_dropout(std::vector<Fit>* fits) {
  const auto& dropout = record_.input.settings.dropout;
  if (!dropout || dropout->p >= 1 || step_ < StepName::dropout_mask) return;
  const std::string text =
      filled("another dropout mask: other weights were dropped than seed {} drops", dropout->seed);
  if (step_ == StepName::dropout_mask) return add_printed_dropout_mask(text, fits);
  Tensor mask = carried_.steps(Reading::exact)[StepName::dropout_mask].clone();
  std::size_t tried = 1;
  if (step_ == StepName::dropped_weights && read_dropped_weights(dropout->p, mask)) {
    made_.push_back(other_mask(mask, dropout->p, text));
  } else if (step_ == StepName::context && search_dropped_weights(dropout->p, mask, &tried)) {
    made_.push_back(other_mask(mask, dropout->p, text));
  } else {
    return;
  }
  const Cells cells = open();
  fits->push_back({"dropout_other_mask", text, tried,
                   share(cells) + static_cast<double>(cells.size()), &made_.back()});
}

void StepExam::add_printed_dropout_mask(const std::string& text, std::vector<Fit>* fits) const {
  const bool mask = std::all_of(cells_.begin(), cells_.end(), [](const Finding& cell) {
    return cell.printed.value == 0 || cell.printed.value == 1;
  });
  if (mask) fits->push_back({"dropout_other_mask", text, 1, 0});
}

/// Each printed number is 0 or P / (1 − p).
bool StepExam::read_dropped_weights(double p, Tensor mask) const {
  const Tensor& weights = carried_.steps(Reading::exact)[StepName::weights];
  for (const Finding& cell : cells_) {
    const double kept = weights.at(cell.cell) / (1 - p);
    const bool zero = agrees(0, cell.printed), whole = agrees(kept, cell.printed);
    if (!zero && !whole) return false;
    if (zero != whole) mask.set(cell.cell, zero ? 0 : 1);  // else the weight is too small to tell
  }
  return true;
}

/// The context alone is printed: each row of it is tried with every way to drop.
bool StepExam::search_dropped_weights(double p, const Tensor& mask, std::size_t* tried) const {
  if (carried_.is_printed(StepName::dropped_weights)) return false;
  const Tensor& weights = carried_.steps(Reading::exact)[StepName::weights];
  const Tensor& values = carried_.steps(Reading::exact)[StepName::values];
  for (const PrintedRow& row : rows_of(cells_, values.size(-1))) {
    const bool wrong = std::any_of(row.cells.begin(), row.cells.end(),
                                   [](const Finding* cell) { return cell->is_open(); });
    if (!wrong) continue;
    if (!find_dropped(row, of_head(weights, row.head), of_head(values, row.head), p,
                      of_head(mask, row.head), tried)) {
      return false;
    }
  }
  return true;
}

}  // namespace foveal::trace
