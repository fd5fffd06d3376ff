#include "trace/input/expected.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <locale>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "core/ascii.h"
#include "io/json.h"
#include "trace/input/sizes.h"

namespace foveal::trace {
namespace {

using Cell = std::optional<PrintedNumber>;
using Row = std::vector<Cell>;

/// Of a printed number, and its largest exponent.
constexpr int kMostDigits = 400;

/// Digits from `at` on; moves `at` behind them.
std::size_t skip_digits(const std::string& text, std::size_t* at) {
  const std::size_t start = *at;
  while (*at < text.size() && is_digit(text[*at])) ++*at;
  return *at - start;
}

/// "-0.27", ".5", "2." or "1.5e-3" as a number with the decimals it shows; nothing for other text.
std::optional<PrintedNumber> parse_decimal(const std::string& text) {
  std::size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  const std::size_t whole = skip_digits(text, &at);
  std::size_t fraction = 0;
  if (at < text.size() && text[at] == '.') fraction = skip_digits(text, &++at);
  if (whole + fraction == 0 || whole + fraction > kMostDigits) return std::nullopt;
  int exponent = 0;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && text[at] == '+') ++at;
    const char* const end = text.data() + text.size();
    const auto result = std::from_chars(text.data() + at, end, exponent);
    if (result.ec != std::errc() || std::abs(exponent) > kMostDigits) return std::nullopt;
    at = static_cast<std::size_t>(result.ptr - text.data());
  }
  if (at != text.size()) return std::nullopt;
  std::istringstream stream(text);
  stream.imbue(std::locale::classic());
  PrintedNumber number{text, 0, std::max(0, static_cast<int>(fraction) - exponent)};
  if (!(stream >> number.value) || !std::isfinite(number.value)) return std::nullopt;
  return number;
}

/// The same where the minus may be the sign "−" (U+2212), as this program itself prints.
std::optional<PrintedNumber> parse_printed(const std::string& text) {
  constexpr std::string_view kMinus = "−";
  if (text.rfind(kMinus, 0) != 0) return parse_decimal(text);
  std::optional<PrintedNumber> number = parse_decimal("-" + text.substr(kMinus.size()));
  if (number) number->text = text;
  return number;
}

/// A truth value is a printed cell of the mask alone.
Cell read_cell(const Field& field, bool truth_values) {
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
    if (text == "nan") return PrintedNumber{text, std::nan(""), 0};
    if (auto number = parse_printed(text)) return number;
  }
  field.fail("must be a number, a number as text (\"0.27\", \"-inf\", \"nan\") or null, not " +
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
