// One number of an earlier step taken wrongly, which shows in a row or a column of this one.

#include <cmath>

#include "core/filled.h"
#include "core/number_text.h"
#include "trace/check/step_exam.h"
#include "trace/input/decimal.h"
#include "trace/input/sizes.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {
namespace {

/// A number without its sign, lost, or with its point elsewhere.
void add_changed(const std::string& name, double right, std::vector<Alternative>* taken) {
  taken->push_back({"sign_lost", filled("the sign of {} is lost", name), -right});
  taken->push_back({"term_lost", filled("a term is lost: {} was taken for 0", name), 0});
  for (const double factor : {10.0, 0.1}) {
    taken->push_back({"decimal_point", filled("the decimal point of {} is off by a place", name),
                      right * factor});
  }
}

/// What a number may have been taken for, or made as where it isn't printed.
std::vector<Alternative> all_taken(const Input& input, const Steps& before, StepName step,
                                   const CellIndex& cell) {
  const Tensor& data = before[step];
  const double right = data.at(cell);
  const std::string name = cell_name(input, step, cell);
  std::vector<Alternative> taken = alternatives_of(input, before, data, step, cell);
  if (taken.empty()) return taken;
  add_changed(name, right, &taken);
  for (const int decimals : {4, 3, 2}) {
    for (const std::string& digits :
         swapped_digits(number_text(right, decimals, std::chars_format::fixed))) {
      const double value = number_in(digits).value_or(right);
      taken.push_back(
          {"digits_swapped", filled("two digits of {} swapped: {}", name, digits), value});
      taken.push_back({"misread", filled("misread: {} was read as {}", name, digits), value});
    }
  }
  return taken;
}

/// What one number of W may have been taken for.
std::vector<Alternative> readings_of_weight(const Tensor& weight, std::int64_t row,
                                            std::int64_t column) {
  std::vector<Alternative> taken;
  const double right = weight.at({row, column});
  const std::string name = filled("W[{},{}]", row, column);
  for (const auto& [down, across] : {std::pair(0, 1), {0, -1}, {1, 0}, {-1, 0}}) {
    const std::int64_t i = row + down, j = column + across;
    if (i < 0 || j < 0 || i >= weight.size(0) || j >= weight.size(1)) continue;
    taken.push_back(
        {"misread", filled("misread: W[{},{}] was taken for {}", i, j, name), weight.at({i, j})});
  }
  add_changed(name, right, &taken);
  for (const std::string& digits : swapped_digits(filled("{}", right))) {
    taken.push_back({"misread", filled("misread: {} was read as {}", name, digits),
                     number_in(digits).value_or(right)});
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
  const Place place = place_of(cell);
  return of_head(data, place.head)[place.row];
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

/// The row or the column, in one head, that numbers of a step share.
struct Line {
  bool is_row = true, is_column = true;
  Place first;
};

Line line_of(const std::vector<Finding*>& cells) {
  Line line{true, true, place_of(cells.front()->cell)};
  for (const Finding* cell : cells) {
    const Place place = place_of(cell->cell);
    const bool same_head = place.head == line.first.head;
    line.is_row = line.is_row && same_head && place.row == line.first.row;
    line.is_column = line.is_column && same_head && place.column == line.first.column;
  }
  return line;
}

/// The cells of `from` that reach all of a row, or of a column, of `step`. A row comes from the
/// same row; a column of scores from one key, a column of the context from one feature of V.
std::vector<CellIndex> operands(const Input& input, StepName from, const Tensor& data,
                                StepName step, const Line& line) {
  const Sizes sizes = sizes_of(input);
  const bool context = step == StepName::context;
  const bool feature = !line.is_row && context && from == StepName::values;
  const std::int64_t head = context ? line.first.column / sizes.D_v : line.first.head;
  std::vector<CellIndex> cells;
  for (std::int64_t k = 0; k < data.size(feature ? -2 : -1); ++k) {
    CellIndex cell = {line.is_row ? line.first.row : line.first.column, k};
    if (feature) cell = {k, line.first.column % sizes.D_v};
    if (cell[0] >= data.size(-2)) break;
    if (data.rank() == 3) cell.insert(cell.begin(), head);
    cells.push_back(std::move(cell));
  }
  return cells;
}

}  // namespace

void StepExam::add_fit(const Slip& slip, std::size_t tried, std::vector<Fit>* fits) {
  if (!carried_.fits(slip, step_)) return;
  made_.push_back(slip);
  fits->push_back({slip.kind, slip.text, tried, share(open()), &made_.back()});
}

void StepExam::add_misread_operands(std::vector<Fit>* fits) {
  const Line line = line_of(open());
  if (open().size() < 2 || (!line.is_row && !line.is_column)) return;
  std::size_t tried = 0;
  const Steps& before = carried_.steps(Reading::exact);
  for (auto at = static_cast<int>(step_) - 1; at >= 0; --at) {
    const auto from = static_cast<StepName>(at);
    if (!before[from].defined() || before[from].dtype() != DType::float64) continue;
    for (const CellIndex& cell : operands(record_.input, from, before[from], step_, line)) {
      for (const Alternative& taken : all_taken(record_.input, before, from, cell)) {
        add_fit({taken.kind, next_step(from), taken.text, taking(from, cell, taken.value, step_)},
                ++tried, fits);
      }
      if (!carried_.is_printed(from)) add_swapped_operands(from, cell, &tried, fits);
    }
  }
  if (line.is_column) add_misread_weights(line.first, fits);
}

/// Two numbers of a row that isn't printed changed places.
void StepExam::add_swapped_operands(StepName from, const CellIndex& cell, std::size_t* tried,
                                    std::vector<Fit>* fits) {
  const Tensor& data = carried_.steps(Reading::exact)[from];
  CellIndex other = cell;
  for (++other.back(); other.back() < data.size(-1); ++other.back()) {
    const std::string text =
        filled("{} and {} changed places", cell_name(record_.input, from, cell),
               cell_name(record_.input, from, other));
    add_fit({"cells_swapped", from, text,
             [from, cell, other](Recipe& recipe) {
               recipe[from] = [rule = recipe[from], cell, other](const Steps& before) {
                 const Tensor right = rule(before);
                 Tensor data = right.clone();
                 data.set(cell, right.at(other));
                 data.set(other, right.at(cell));
                 return data;
               };
             }},
            ++*tried, fits);
  }
}

/// A number of W read wrongly spoils a column of the projection.
void StepExam::add_misread_weights(const Place& first, std::vector<Fit>* fits) {
  const Input& input = record_.input;
  const std::optional<Projection> one = projection_of(input, step_);
  if (!one || !one->weight.defined()) return;
  const Tensor& weight = one->weight;
  const Sizes sizes = sizes_of(input);
  const std::int64_t column =
      first.column + first.head * (step_ == StepName::values ? sizes.D_v : sizes.D);
  std::size_t tried = 0;
  for (std::int64_t k = 0; k < weight.size(0); ++k) {
    for (const Alternative& taken : readings_of_weight(weight, k, column)) {
      Tensor changed = weight.clone();
      changed.set({k, column}, taken.value);
      const Rule rule = projection_rule(input, step_, changed, one->bias);
      add_fit({taken.kind, step_, taken.text, [step = step_, rule](Recipe& r) { r[step] = rule; }},
              ++tried, fits);
    }
  }
}

/// A row of a step that isn't printed, taken from beside it.
void StepExam::name_shifted_operand() {
  std::vector<Fit> fits;
  std::size_t tried = 0;
  for (auto at = static_cast<int>(step_) - 1; at >= 0; --at) {
    const auto from = static_cast<StepName>(at);
    const Tensor& data = carried_.steps(Reading::exact)[from];
    if (!data.defined() || is_given(from) || carried_.is_printed(from)) continue;
    for (const auto& [row, other] : neighbouring_rows(data)) {
      ++tried;
      const std::string text =
          filled("a neighbouring row was taken: {} in place of {}",
                 row_name(record_.input, from, other), row_name(record_.input, from, row));
      add_fit({"row_shifted", from, text, taking_row(from, row, other)}, tried, &fits);
    }
  }
  decide(open(), fits);
}

}  // namespace foveal::trace
