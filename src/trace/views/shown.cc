#include "trace/views/shown.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/filled.h"
#include "draw/look.h"

namespace foveal::trace {
namespace {

constexpr double kTruthHeat = 0.5;

double largest_magnitude(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

bool within(const Window& window, std::int64_t index) {
  return index >= window.begin && index < window.end;
}

}  // namespace

std::size_t Shown::place(std::int64_t head, std::int64_t row, std::int64_t column) const {
  return static_cast<std::size_t>((head * rows.size + row) * columns.size + column);
}

double Shown::value(std::int64_t head, std::int64_t row, std::int64_t column) const {
  return values[place(head, row, column)];
}

std::string Shown::text(std::int64_t head, std::int64_t row, std::int64_t column) const {
  const double number = value(head, row, column);
  if (is_truth) return number != 0 ? "true" : "false";
  return pretty(number, digits);
}

double Shown::heat(std::int64_t head, std::int64_t row, std::int64_t column) const {
  const double number = value(head, row, column);
  if (is_mask) return number != 0 ? kTruthHeat : 0;
  return full_heat > 0 && std::isfinite(number) ? number / full_heat : 0;
}

bool Shown::hatched(std::int64_t head, std::int64_t row, std::int64_t column) const {
  const double number = value(head, row, column);
  if (is_mask) return number == 0;
  return !std::isfinite(number) || (!taken_out.empty() && taken_out[place(head, row, column)]);
}

bool Shown::has(std::int64_t head, std::int64_t row, std::int64_t column) const {
  return head >= 0 && head < heads && within(rows, row) && within(columns, column);
}

ScaleEnds scale_ends(const Shown& shown) {
  const std::vector<double>& values = shown.values;
  const bool has_negative = std::any_of(
      values.begin(), values.end(), [](double value) { return value < 0 && std::isfinite(value); });
  return {has_negative ? pretty(-shown.full_heat, shown.digits) : "",
          pretty(shown.full_heat, shown.step == StepName::weights ? Digits{} : shown.digits),
          shown.hatched_means};
}

/// The weights that the mask or dropout took out; the masks may have fewer heads.
std::vector<bool> taken_out_of(const Record& record, const Step& step) {
  std::vector<bool> out;
  for (const StepName name : {StepName::mask, StepName::dropout_mask}) {
    const Step* mask = find_step(record, name);
    const bool counts = name == StepName::mask || step.name == StepName::dropped_weights;
    if (mask == nullptr || !counts) continue;
    const std::vector<double> kept = mask->data.to_vector();
    out.resize(static_cast<std::size_t>(step.data.element_count()));
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (kept[i % kept.size()] == 0) out[i] = true;
    }
  }
  return out;
}

std::string meaning_of_hatched(const Shown& shown) {
  const auto is_not_finite = [](double value) { return !std::isfinite(value); };
  if (shown.taken_out.empty()) {
    const bool any = std::any_of(shown.values.begin(), shown.values.end(), is_not_finite);
    return any ? "−∞ masked" : "";
  }
  const bool any = std::any_of(shown.taken_out.begin(), shown.taken_out.end(), std::identity());
  if (!any) return "";
  return shown.step == StepName::dropped_weights ? "masked or dropped" : "masked";
}

Shown shown_step(const Record& record, const Step& step) {
  Shown shown;
  shown.step = step.name;
  shown.name = text(step.name);
  shown.title = step.title;
  shown.formula = step.formula;
  shown.note = step.note;
  shown.row_axis = step.axes[step.axes.size() - 2];
  shown.column_axis = step.axes.back();
  shown.has_heads = step.axes.front() == "head";
  shown.is_mask = step.name == StepName::mask || step.name == StepName::dropout_mask;
  shown.is_truth = step.data.dtype() == DType::boolean;
  shown.heads = shown.has_heads ? step.data.size(0) : 1;
  shown.rows = window_of(record, shown.row_axis, step.data.size(-2));
  shown.columns = window_of(record, shown.column_axis, step.data.size(-1));
  shown.digits = step.digits;
  shown.values = step.data.to_vector();
  shown.full_heat = step.name == StepName::weights ? 1 : largest_magnitude(shown.values);
  if (step.name == StepName::weights || step.name == StepName::dropped_weights) {
    shown.taken_out = taken_out_of(record, step);
  }
  shown.hatched_means = meaning_of_hatched(shown);
  return shown;
}

Shown shown_parameter(const std::string& name, const Tensor& data) {
  Shown shown;
  shown.name = shown.title = name;
  shown.is_vector = data.rank() == 1;
  shown.formula = shown.is_vector ? filled("({})", data.size(0))
                                  : filled("({}, {})", data.size(0), data.size(1));
  shown.row_axis = shown.column_axis = "feature";
  shown.rows = window_around(0, shown.is_vector ? 1 : data.size(0));
  shown.columns = window_around(0, data.size(-1));
  shown.digits = digits_of_given(data);
  shown.note = rounded(shown.digits);
  shown.values = data.to_vector();
  shown.full_heat = largest_magnitude(shown.values);
  return shown;
}

const Check* wrong_at(const Record& record, const Shown& shown, std::int64_t head, std::int64_t row,
                      std::int64_t column) {
  const std::vector<std::int64_t> cell = shown.has_heads
                                             ? std::vector<std::int64_t>{head, row, column}
                                             : std::vector<std::int64_t>{row, column};
  for (const Check& check : record.checks) {
    if (!check.agrees && shown.step == check.step && check.cell == cell) return &check;
  }
  return nullptr;
}

}  // namespace foveal::trace
