#include "trace/input/expected.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "io/json.h"
#include "trace/input/decimal.h"
#include "trace/input/sizes.h"

namespace foveal::trace {
namespace {

using PrintedCell = std::optional<PrintedNumber>;
using Row = std::vector<PrintedCell>;

/// A truth value is a printed cell of the mask alone.
PrintedCell read_cell(const Field& field, bool truth_values) {
  const nlohmann::json& value = field.value();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (value.is_null()) return std::nullopt;
  if (truth_values && value.is_boolean()) {
    return PrintedNumber{value.dump(), value.get<bool>() ? 1.0 : 0.0, 0};
  }
  if (value.is_number()) return PrintedNumber{value.dump(), value.get<double>(), 0};
  if (const auto typed = typed_number(value)) {
    if (auto number = parse_decimal(*typed)) return number;
    field.fail("has more than " + std::to_string(kMostDigits) + " digits, or an exponent beyond " +
               "them: " + describe(value));
  }
  if (value.is_string()) {
    const std::string text = value.get<std::string>();
    if (text == "-inf" || text == "−∞") return PrintedNumber{text, -infinity, 0};
    if (text == "inf" || text == "∞") return PrintedNumber{text, infinity, 0};
    if (text == "nan") return PrintedNumber{text, std::nan(""), 0};
    if (auto number = parse_written(text)) return number;
  }
  field.fail(
      "must be a number, a number as text (\"0.27\", \"24%\", \"1/4\", \"-inf\", \"nan\") or null, "
      "not " +
      describe(value));
}

std::vector<Row> read_rows(const Field& field, std::int64_t rows, std::int64_t columns,
                           bool truth_values = false) {
  field.require_list("rows");
  if (static_cast<std::int64_t>(field.size()) > rows) {
    field.fail("has " + std::to_string(field.size()) + " rows but the step has " +
               std::to_string(rows));
  }
  std::vector<Row> result;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const Field row = field[i];
    row.require_list("numbers");
    if (static_cast<std::int64_t>(row.size()) != columns) {
      row.fail("has length " + std::to_string(row.size()) + " but the step's rows have length " +
               std::to_string(columns) + ": put null for a number that isn't printed");
    }
    result.emplace_back();
    for (std::size_t j = 0; j < row.size(); ++j)
      result.back().push_back(read_cell(row[j], truth_values));
  }
  return result;
}

ExpectedStep read_step(const Field& field, const Input& input, StepName name) {
  const Shape shape = shape_of(input, name);
  const std::int64_t rows = shape[shape.size() - 2];
  const std::int64_t columns = shape.back();
  ExpectedStep expected{name, {}};
  if (!has_head_axis(input, name)) {
    expected.heads.push_back(read_rows(field, rows, columns, name == StepName::mask));
    return expected;
  }
  const std::int64_t heads = shape.front();
  field.require_list("heads");
  if (static_cast<std::int64_t>(field.size()) != heads) {
    field.fail("has length " + std::to_string(field.size()) +
               " but must hold one list a head: " + std::to_string(heads));
  }
  for (std::size_t h = 0; h < field.size(); ++h) {
    expected.heads.push_back(read_rows(field[h], rows, columns));
  }
  return expected;
}

}  // namespace

std::vector<ExpectedStep> read_expected(const Field& field, const Input& input) {
  const std::vector<StepName> steps = steps_of(input);
  std::vector<std::string> names;
  names.reserve(steps.size());
  for (const StepName step : steps) names.push_back(text(step));
  field.require_object(names);
  std::vector<ExpectedStep> expected;
  for (const StepName step : steps) {
    if (!field.has(text(step))) continue;
    expected.push_back(read_step(field[text(step)], input, step));
  }
  return expected;
}

}  // namespace foveal::trace
