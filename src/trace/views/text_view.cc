#include <algorithm>

#include "core/filled.h"
#include "draw/terminal.h"
#include "draw/text.h"
#include "trace/check/check.h"
#include "trace/input/sizes.h"
#include "trace/run/arithmetic.h"
#include "trace/views/story.h"
#include "trace/views/text_table.h"
#include "trace/views/views.h"

namespace foveal::trace {
namespace {

namespace terminal = draw::terminal;
using Indices = std::vector<std::int64_t>;

constexpr std::int64_t kMostShown = 16;  ///< rows or columns that are shown whole
constexpr std::int64_t kWindow = 9;      ///< of more, so many around the followed one
constexpr std::int64_t kMostHeads = 4;
constexpr std::size_t kMostCells = 6;  ///< whose arithmetic is written out in a step
constexpr std::size_t kMostLargest = 5;

Indices shown_indices(std::int64_t count, std::int64_t centre) {
  std::int64_t first = 0, shown = count;
  if (count > kMostShown) {
    shown = kWindow;
    first = std::clamp<std::int64_t>(centre - kWindow / 2, 0, count - kWindow);
  }
  Indices indices;
  for (std::int64_t i = first; i < first + shown; ++i) indices.push_back(i);
  return indices;
}

constexpr const char* kTie = "\xC2\xA0";  ///< a space that no line breaks at

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// A sign and the result behind it stay on one line.
std::string with_ties(const std::string& text) {
  return replaced(replaced(text, "= ", std::string("=") + kTie), "≈ ", std::string("≈") + kTie);
}

/// A place along an axis of features.
std::string index_label(std::int64_t i) { return filled("[{}]", i); }

class TextReport {
 public:
  TextReport(const Record& record, int width, bool colour)
      : record_(record), sizes_(sizes_of(record.input)), width_(width), style_(colour) {}

  std::string write() {
    heading();
    for (const Step& step : record_.steps) write_step(step);
    if (!record_.checks.empty()) checks();
    return std::move(out_);
  }

 private:
  void line(const std::string& text = "") { out_ += text + "\n"; }

  /// Wrapped, each line behind `indent`; further lines behind spaces of the same width.
  void paragraph(const std::string& indent, const std::string& text) {
    const int room = std::max(20, width_ - terminal::width(indent));
    std::string before = indent;
    for (const std::string& part : terminal::wrap(with_ties(text), room)) {
      line(before + replaced(part, kTie, " "));
      before.assign(static_cast<std::size_t>(terminal::width(indent)), ' ');
    }
  }

  std::string token(std::int64_t i) const {
    return draw::visible(record_.input.tokens[static_cast<std::size_t>(i)]);
  }
  std::string followed_token() const {
    return filled("\"{}\"", terminal::cut(token(record_.followed), 24));
  }

  void heading() {
    const Sizes& s = sizes_;
    const Settings& settings = record_.input.settings;
    line(style_.bold("Attention, step by step"));
    if (const WhereNext next = where_next(record_); !next.command.empty()) {
      paragraph("", next.words);
      line("  " + next.command);
      line();
    }
    paragraph("", filled("{}, d_in = {}, {} of size D = {}{}", counted(s.L, "token"), s.d_in,
                         counted(s.H, "head"), s.D,
                         s.D_v == s.D ? "" : filled(", values of size {}", s.D_v)));
    paragraph("", filled("scale {} · mask {} · {}", scale_name(), mask_name(settings.mask),
                         settings.dropout ? filled("dropout p = {}, seed {}", settings.dropout->p,
                                                   settings.dropout->seed)
                                          : "no dropout"));
    line();
    paragraph("", filled("Query {}, {}, is followed: its row has → and is worked out in "
                         "numbers{}. Rows and columns count from 0.",
                         record_.followed, followed_token(),
                         s.H > 1 ? ", those of head 0; the other heads do the same" : ""));
    paragraph("",
              "Where = stands, the shown numbers give the shown result; where ≈ stands, what "
              "rounding hides makes a difference.");
    if (s.L > kMostShown || s.d_in > kMostShown || s.d > kMostShown || s.d_v > kMostShown) {
      paragraph("", filled("What is longer than {} is shown in part; --json and --format csv "
                           "give everything.",
                           kMostShown));
    }
  }

  std::string scale_name() const {
    const Scale& scale = record_.input.settings.scale;
    if (scale.kind == Scale::Kind::none) return "none";
    return scale.kind == Scale::Kind::sqrt ? "1/√D" : filled("{}", scale.factor);
  }
  static std::string mask_name(const std::string& mask) {
    if (mask == "rows") return "given row by row";
    return mask.size() <= kLongestMask ? mask : "given as an expression";
  }

  void write_step(const Step& step) {
    line();
    const std::string names = in_the_chapter(step.name);
    line(style_.bold(filled("{} {}", ++number_, step.title)) +
         (names.empty() ? "" : filled(" ({})", names)));
    paragraph("  ", step.formula);
    line(filled("  shape {}: {}", to_string(step.data.shape()), joined_with(step.axes, ", ")));
    if (!step.note.empty()) paragraph("  ", step.note);
    const bool has_parameters = parameters(step);
    const bool by_head = step.axes.front() == "head";
    const std::int64_t heads = by_head ? step.data.size(0) : 1;
    for (std::int64_t h = 0; h < std::min(heads, kMostHeads); ++h) {
      line();
      if (by_head) line(style_.bold(filled("  {}, head {}", step.title, h)));
      if (!by_head && has_parameters) line(style_.bold("  " + step.title));
      matrix(step, by_head ? step.data[h] : step.data);
    }
    left_out({heads > kMostHeads ? filled("heads 0 to {} of {}", kMostHeads - 1, heads) : "",
              part_shown("rows", shown_rows(step), step.data.size(-2)),
              part_shown("columns", shown_columns(step), step.data.size(-1))});
    if (step.name != StepName::inputs) arithmetic_of_row(step, by_head);
  }

  Indices shown_rows(const Step& step) const {
    return shown_indices(step.data.size(-2), record_.followed);
  }
  Indices shown_columns(const Step& step) const {
    return shown_indices(step.data.size(-1), step.axes.back() == "key" ? record_.followed : 0);
  }

  /// "3 fox"; numbers up to `last` are equally wide.
  std::string token_label(std::int64_t i, std::int64_t last) const {
    const std::string number = std::to_string(i);
    const std::size_t width = std::max(number.size(), std::to_string(last).size());
    return std::string(width - number.size(), ' ') + number + " " + token(i);
  }

  void matrix(const Step& step, const Tensor& data) {
    const Indices rows = shown_rows(step), columns = shown_columns(step);
    TextTable table;
    for (std::int64_t j : columns) {
      table.column_labels.push_back(step.axes.back() == "key" ? token_label(j, 0) : index_label(j));
    }
    for (std::int64_t i : rows) {
      if (i == record_.followed) table.followed = table.cells.size();
      table.row_labels.push_back(token_label(i, rows.back()));
      table.cells.push_back(cells_of_row(data, i, columns, step.digits));
    }
    write_table(table);
    if (step.name == StepName::weights && data.size(-1) > kMostShown) largest_weights(step, data);
  }

  static std::vector<std::string> cells_of_row(const Tensor& data, std::int64_t i,
                                               const Indices& columns, const Digits& digits) {
    const bool is_bool = data.dtype() == DType::boolean;
    std::vector<std::string> cells;
    for (std::int64_t j : columns) {
      const double value = data.at({i, j});
      cells.push_back(is_bool ? (value != 0 ? "true" : "false") : show(value, digits));
    }
    return cells;
  }

  void write_table(const TextTable& table) {
    for (const std::string& text : table_lines(table, width_ - 2, style_)) {
      line(text.empty() ? "" : "  " + text);
    }
  }

  /// The W and b of a projection, above its result; false where the step has none.
  bool parameters(const Step& step) {
    const auto one = projection_of(record_.input, step.name);
    return one && parameter(one->name, one->weight, one->bias);
  }

  bool parameter(const std::string& name, const Tensor& weight, const Tensor& bias) {
    if (!weight.defined()) return false;
    const Indices rows = shown_indices(weight.size(0), 0);
    const Indices columns = shown_indices(weight.size(1), 0);
    const Digits digits = digits_of_given(weight);
    TextTable table;
    for (std::int64_t j : columns) table.column_labels.push_back(index_label(j));
    for (std::int64_t i : rows) {
      table.row_labels.push_back(index_label(i));
      table.cells.push_back(cells_of_row(weight, i, columns, digits));
    }
    if (bias.defined()) {
      table.row_labels.push_back("b_" + name);
      table.cells.push_back(cells_of_row(bias.unsqueeze(0), 0, columns, digits_of_given(bias)));
    }
    line();
    const std::string less = rounded(digits).empty() ? "" : ", " + rounded(digits);
    line(style_.bold(filled("  W_{}", name)) +
         filled(", shape {}{}", to_string(weight.shape()), less));
    write_table(table);
    left_out(
        {part_shown("rows", rows, weight.size(0)), part_shown("columns", columns, weight.size(1))});
    return true;
  }

  void largest_weights(const Step& step, const Tensor& data) {
    std::vector<std::pair<double, std::int64_t>> weights;
    for (std::int64_t j = 0; j < data.size(-1); ++j) {
      const double weight = data.at({record_.followed, j});
      if (weight > 0) weights.emplace_back(-weight, j);
    }
    std::sort(weights.begin(), weights.end());
    weights.resize(std::min(weights.size(), kMostLargest));
    std::vector<std::string> parts;
    parts.reserve(weights.size());
    for (const auto& [negated, j] : weights) {
      parts.push_back(
          filled("{} {} {}", j, terminal::cut(token(j), 12), show(-negated, step.digits)));
    }
    paragraph("  ",
              filled("Largest weights of row {}: {}", record_.followed, joined_with(parts, ", ")));
  }

  /// "rows 3 to 11 of 40", or nothing where all are shown.
  static std::string part_shown(const std::string& what, const Indices& shown, std::int64_t count) {
    if (static_cast<std::int64_t>(shown.size()) == count) return "";
    return filled("{} {} to {} of {}", what, shown.front(), shown.back(), count);
  }

  /// Nothing is left out silently.
  void left_out(std::vector<std::string> parts) {
    parts.erase(std::remove(parts.begin(), parts.end(), ""), parts.end());
    if (parts.empty()) return;
    line();
    paragraph("  ", filled("Shown here: {}.", joined_with(parts, ", ")));
  }

  void arithmetic_of_row(const Step& step, bool by_head) {
    Indices columns = shown_columns(step);
    if (columns.size() > kMostCells) columns.resize(kMostCells);
    const std::int64_t rest = step.data.size(-1) - static_cast<std::int64_t>(columns.size());
    line();
    line(filled("  {} {}, {}, in numbers:", by_head ? "Head 0, row" : "Row", record_.followed,
                followed_token()));
    const auto cell = [&](std::int64_t j) {
      return by_head ? Indices{0, record_.followed, j} : Indices{record_.followed, j};
    };
    for (std::int64_t j : columns) cell_arithmetic(step, cell(j), j == columns.front());
    if (rest == 0) return;
    const std::int64_t other = columns.front() > 0 ? 0 : columns.back() + 1;
    paragraph("    ", filled("… and {} more; --cell '{}[{}]' writes out that one.", rest,
                             foveal::trace::text(step.name), joined_with(cell(other), ",")));
  }

  /// The first one in letters too, unless these say no more than the formula above.
  void cell_arithmetic(const Step& step, const Indices& cell, bool with_letters) {
    const Arithmetic how = arithmetic(record_, step.name, cell);
    const std::string name =
        filled("    {}[{}]", foveal::trace::text(step.name), joined_with(cell, ","));
    if (step.name == StepName::mask || step.name == StepName::masked_scores ||
        step.name == StepName::dropout_mask) {
      return paragraph(name + ": ", how.numbers);
    }
    if (with_letters) paragraph(name + " = ", how.letters.substr(how.letters.find(" = ") + 3));
    const std::string before =
        with_letters ? std::string(static_cast<std::size_t>(terminal::width(name)), ' ') : name;
    paragraph(before + " = ", how.numbers);
  }

  void checks() {
    line();
    line(style_.bold("The printed numbers, checked"));
    out_ += check_text(record_, find_slips(record_));
  }

  const Record& record_;
  Sizes sizes_;
  int width_;
  Style style_;
  int number_ = 0;
  std::string out_;
};

}  // namespace

std::string text_view(const Record& record, int width, bool colour) {
  return TextReport(record, width, colour).write();
}

}  // namespace foveal::trace
