// One number of an earlier step taken wrongly, which shows in a row or a column of this one.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/ascii.h"
#include "trace/check/agreement.h"
#include "trace/check/step_exam.h"
#include "trace/input/decimal.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {
namespace {

/// What a number may have been taken for, or made as where it isn't printed.
std::vector<Alternative> all_taken(const Input& input, const Steps& before, StepName step,
                                   const CellIndex& cell) {
  const Tensor& data = before[step];
  const double right = data.at(cell);
  const std::string name = cell_name(input, step, cell);
  std::vector<Alternative> taken = alternatives_of(input, before, data, step, cell);
  if (taken.empty()) return taken;
  taken.push_back({"sign_lost", fmt::format("the sign of {} is lost", name), -right});
  taken.push_back({"term_lost", fmt::format("a term is lost: {} was taken for 0", name), 0});
  for (const double factor : {10.0, 0.1}) {
    taken.push_back({"decimal_point",
                     fmt::format("the decimal point of {} is off by a place", name),
                     right * factor});
  }
  for (const int decimals : {4, 3, 2}) {
    std::string digits = fmt::format("{:.{}f}", right, decimals);
    for (std::size_t i = 0; i + 1 < digits.size(); ++i) {
      const std::size_t j = digits[i + 1] == '.' ? i + 2 : i + 1;
      if (j >= digits.size() || !is_digit(digits[i]) || digits[i] == digits[j]) continue;
      std::swap(digits[i], digits[j]);
      if (const auto value = number_in(digits)) {
        taken.push_back(
            {"misread", fmt::format("misread: {} was read as {}", name, digits), *value});
      }
      std::swap(digits[i], digits[j]);
    }
  }
  return taken;
}

/// The steps that are made from `from` see `value` at `cell`.
std::function<void(Recipe&)> taking(StepName from, const CellIndex& cell, double value,
                                    StepName last) {
  return [=](Recipe& recipe) {
    for (const StepName step : kAllSteps) {
      if (step <= from || step > last) continue;
      recipe[step] = [rule = recipe[step], from, cell, value](const Steps& before) {
        Steps seen = before;
        seen[from] = before[from].clone();
        seen[from].set(cell, value);
        return rule(seen);
      };
    }
  };
}

/// Each row with those beside it, by their first cells.
std::vector<std::pair<CellIndex, CellIndex>> neighbouring_rows(const Tensor& data) {
  std::vector<std::pair<CellIndex, CellIndex>> rows;
  const std::int64_t heads = data.rank() == 3 ? data.size(0) : 1;
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t i = 0; i + 1 < data.size(-2); ++i) {
      CellIndex row = {i, 0}, next = {i + 1, 0};
      if (data.rank() == 3) {
        row.insert(row.begin(), h);
        next.insert(next.begin(), h);
      }
      rows.emplace_back(row, next);
      rows.emplace_back(next, row);
    }
  }
  return rows;
}

Tensor row_at(const Tensor& data, const CellIndex& cell) {
  return data.rank() == 3 ? data[cell[0]][cell[1]] : data[cell[0]];
}

std::function<void(Recipe&)> taking_row(StepName step, const CellIndex& row,
                                        const CellIndex& other) {
  return [=](Recipe& recipe) {
    recipe[step] = [rule = recipe[step], row, other](const Steps& before) {
      const Tensor right = rule(before);
      Tensor data = right.clone();
      row_at(data, row).copy_(row_at(right, other));
      return data;
    };
  };
}

/// The row or the column that all of these are in: {row, -1} or {-1, column}; nothing else.
std::optional<std::pair<std::int64_t, std::int64_t>> common_line(
    const std::vector<Finding*>& cells) {
  const Place first = place_of(cells.front()->cell);
  bool row = true, column = true;
  for (const Finding* cell : cells) {
    const Place place = place_of(cell->cell);
    if (place.head != first.head) return std::nullopt;
    row = row && place.row == first.row;
    column = column && place.column == first.column;
  }
  if (row) return std::pair(first.row, std::int64_t{-1});
  if (column) return std::pair(std::int64_t{-1}, first.column);
  return std::nullopt;
}

}  // namespace

void StepExam::name_misread_operand() {
  const Cells cells = open();
  const auto line = common_line(cells);
  if (cells.size() < 2 || !line) return;
  const std::int64_t head = place_of(cells.front()->cell).head;
  std::vector<Fit> fits;
  std::size_t tried = 0;
  for (auto at = static_cast<int>(step_) - 1; at >= 0; --at) {
    const auto from = static_cast<StepName>(at);
    const Tensor& data = carried_.steps(Reading::exact)[from];
    if (!data.defined() || data.dtype() != DType::float64) continue;
    // A column of scores comes from one key, a column of the context from one feature of V.
    const bool by_column = line->first < 0;
    const std::int64_t fixed = by_column ? line->second : line->first;
    const bool whole_column = by_column && step_ == StepName::context && from == StepName::values;
    const std::int64_t others = data.size(whole_column ? -2 : -1);
    for (std::int64_t k = 0; k < others; ++k) {
      CellIndex cell = whole_column ? CellIndex{k, fixed % data.size(-1)} : CellIndex{fixed, k};
      if (cell[0] >= data.size(-2)) continue;
      if (data.rank() == 3)
        cell.insert(cell.begin(),
                    step_ == StepName::context
                        ? place_of(cells.front()->cell).column / data.size(-1) % data.size(0)
                        : head);
      for (const Alternative& taken :
           all_taken(record_.input, carried_.steps(Reading::exact), from, cell)) {
        ++tried;
        Slip slip{taken.kind, step_, taken.text, taking(from, cell, taken.value, step_)};
        if (!carried_.fits(slip, step_)) continue;
        made_.push_back(slip);
        fits.push_back({taken.kind, taken.text, tried, share(cells), &made_.back()});
      }
    }
  }
  decide(cells, fits);
}

/// A row of a step that isn't printed, taken from beside it.
void StepExam::name_shifted_operand() {
  std::vector<Fit> fits;
  std::size_t tried = 0;
  const Cells cells = open();
  for (auto at = static_cast<int>(step_) - 1; at >= 0; --at) {
    const auto from = static_cast<StepName>(at);
    const Tensor& data = carried_.steps(Reading::exact)[from];
    if (!data.defined() || is_given(from) || carried_.is_printed(from)) continue;
    for (const auto& [row, other] : neighbouring_rows(data)) {
      ++tried;
      const std::string text =
          fmt::format("a neighbouring row was taken: {} in place of {}",
                      row_name(record_.input, from, other), row_name(record_.input, from, row));
      const Slip slip{"row_shifted", from, text, taking_row(from, row, other)};
      if (!carried_.fits(slip, step_)) continue;
      made_.push_back(slip);
      fits.push_back({slip.kind, slip.text, tried, share(cells), &made_.back()});
    }
  }
  decide(cells, fits);
}

}  // namespace foveal::trace
