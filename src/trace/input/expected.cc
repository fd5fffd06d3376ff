#include "trace/input/expected.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "io/json.h"
#include "trace/input/decimal.h"
#include "trace/input/sizes.h"

namespace foveal::trace {
namespace {

using PrintedCell = std::optional<PrintedNumber>;
using Row = std::vector<PrintedCell>;

/// Printed numbers that are held against a run and against every slip.
constexpr std::size_t kMostPrintedNumbers = 50000;

/// What other books and programs call a step.
std::optional<StepName> step_meant(const std::string& name) {
  static const std::map<std::string, StepName> others = {{"alpha", StepName::weights},
                                                         {"alphas", StepName::weights},
                                                         {"attention_weights", StepName::weights},
                                                         {"probs", StepName::weights},
                                                         {"softmax", StepName::weights},
                                                         {"omega", StepName::scores},
                                                         {"attention_scores", StepName::scores},
                                                         {"logits", StepName::scores},
                                                         {"scaled", StepName::scaled_scores},
                                                         {"context_vecs", StepName::context},
                                                         {"attn_output", StepName::context},
                                                         {"query", StepName::queries},
                                                         {"key", StepName::keys},
                                                         {"value", StepName::values},
                                                         {"input", StepName::inputs},
                                                         {"out", StepName::output}};
  const auto found = others.find(name);
  return found != others.end() ? found->second : step_named(name);
}

/// What an input needs to have a step.
std::string missing(StepName step) {
  switch (step) {
    case StepName::scaled_scores:
      return "its scale is \"none\"";
    case StepName::mask:
    case StepName::masked_scores:
      return "it needs \"mask\"";
    case StepName::dropout_mask:
    case StepName::dropped_weights:
      return "it needs \"dropout\"";
    default:
      return "it needs \"W_out\"";
  }
}

/// "-inf", "−∞", "-Infinity", "nan" and the like.
PrintedCell parse_not_finite(const std::string& text) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::string_view name = text;
  const bool minus = name.rfind("-", 0) == 0 || name.rfind("−", 0) == 0;
  if (minus) name.remove_prefix(name[0] == '-' ? 1 : std::string_view("−").size());
  for (const char* word : {"inf", "∞", "Infinity"}) {
    if (name == word) return PrintedNumber{text, minus ? -infinity : infinity, 0};
  }
  if (text == "nan" || text == "NaN") return PrintedNumber{text, std::nan(""), 0};
  return std::nullopt;
}

/// A truth value is a printed cell of the mask alone.
PrintedCell read_cell(const Field& field, bool truth_values) {
  const nlohmann::json& value = field.value();
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
    if (const auto other = parse_not_finite(text)) return other;
    if (auto number = parse_written(text)) return number;
  }
  field.fail(
      "must be a number, a number as text (\"0.27\", \"24%\", \"1/4\", \"-inf\", \"nan\") or null, "
      "not " +
      describe(value));
}

Row read_row(const Field& row, std::int64_t columns, bool truth_values) {
  row.require_list("numbers");
  if (static_cast<std::int64_t>(row.size()) != columns) {
    row.fail("has length " + std::to_string(row.size()) + " but the step's rows have length " +
             std::to_string(columns) + ": put null for a number that isn't printed");
  }
  Row cells;
  for (std::size_t j = 0; j < row.size(); ++j) cells.push_back(read_cell(row[j], truth_values));
  return cells;
}

/// Rows of a matrix, or the numbers of its first row without a list around them.
std::vector<Row> read_rows(const Field& field, std::int64_t rows, std::int64_t columns,
                           bool truth_values = false) {
  field.require_list("rows");
  if (field.size() > 0 && !field[0].value().is_array()) {
    return {read_row(field, columns, truth_values)};
  }
  if (static_cast<std::int64_t>(field.size()) > rows) {
    field.fail("has " + std::to_string(field.size()) + " rows but the step has " +
               std::to_string(rows));
  }
  std::vector<Row> result;
  result.reserve(field.size());
  for (std::size_t i = 0; i < field.size(); ++i) {
    result.push_back(read_row(field[i], columns, truth_values));
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

/// Lists within lists, their entries counted.
std::size_t numbers_in(const nlohmann::json& value) {
  if (!value.is_array()) return 1;
  std::size_t count = 0;
  for (const nlohmann::json& entry : value) count += numbers_in(entry);
  return count;
}

/// Every key is a step of this input, by its own name.
void require_steps(const Field& field, const std::vector<StepName>& steps) {
  std::vector<std::string> names;
  names.reserve(steps.size());
  for (const StepName step : steps) names.push_back(text(step));
  if (field.value().is_object()) {
    for (const auto& entry : field.value().items()) {
      const bool known = std::find(names.begin(), names.end(), entry.key()) != names.end();
      const std::optional<StepName> meant = step_meant(entry.key());
      if (known || !meant) continue;
      if (std::find(steps.begin(), steps.end(), *meant) == steps.end()) {
        field[entry.key()].fail("this input has no step " + text(*meant) + ": " + missing(*meant));
      }
      field[entry.key()].fail("the step is called \"" + text(*meant) + "\" here: rename the key");
    }
  }
  field.require_object(names);
}

}  // namespace

std::vector<ExpectedStep> read_expected(const Field& field, const Input& input) {
  const std::vector<StepName> steps = steps_of(input);
  require_steps(field, steps);
  std::vector<ExpectedStep> expected;
  std::size_t count = 0;
  for (const StepName step : steps) {
    if (!field.has(text(step))) continue;
    count += numbers_in(field[text(step)].value());
    if (count > kMostPrintedNumbers) {
      field[text(step)].fail("brings the printed numbers to more than " +
                             std::to_string(kMostPrintedNumbers) +
                             ": check fewer rows at a time, a step's first ones are enough");
    }
    expected.push_back(read_step(field[text(step)], input, step));
  }
  return expected;
}

}  // namespace foveal::trace
