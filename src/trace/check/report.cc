// The report of `foveal check` for people.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "draw/terminal.h"
#include "draw/text.h"
#include "trace/check/check.h"
#include "trace/check/comparison_table.h"
#include "trace/check/findings.h"
#include "trace/run/arithmetic.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {

namespace {

constexpr int kWidth = 80;
constexpr std::size_t kMostRows = 6;   ///< of what follows, and of other differences
constexpr std::size_t kMostCells = 8;  ///< of a row written as a list

using Cells = std::vector<const Finding*>;

std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

std::string numbers(std::size_t count) {
  return fmt::format("{} printed number{}", count, count == 1 ? "" : "s");
}

class Report {
 public:
  Report(const Record& record, const Findings& findings)
      : record_(record), input_(record.input), findings_(findings) {
    for (const Finding& finding : findings_.all) {
      if (!finding.agrees) wrong_.push_back(&finding);
    }
  }

  std::string write() {
    if (wrong_.empty()) {
      line(fmt::format("{} checked. All agree, at the decimals they are printed with.",
                       numbers(findings_.all.size())));
      return text_;
    }
    line(fmt::format("{} checked: {} agree, {} differ.", numbers(findings_.all.size()),
                     findings_.all.size() - wrong_.size(), wrong_.size()));
    first();
    const std::vector<Cells> rows = rows_after_first();
    section("What follows from it", rows, true);
    section("Other differences", rows, false);
    text_ += comparison_table(record_, findings_.all);
    return text_;
  }

 private:
  /// One line; where it is wider than the terminal, the rest stands two columns further in.
  void line(const std::string& content, int indent = 0) {
    const std::string margin(static_cast<std::size_t>(indent), ' ');
    const std::string begin = draw::terminal::wrap(content, kWidth - indent).front();
    text_ += margin + begin + "\n";
    if (begin.size() == content.size()) return;
    const std::string rest = content.substr(begin.size() + 1);
    for (const std::string& part : draw::terminal::wrap(rest, kWidth - indent - 2)) {
      text_ += margin + "  " + part + "\n";
    }
  }

  std::string arithmetic_of(const Record& record, const Finding& cell) const {
    return arithmetic(record, cell.step, cell.cell).numbers;
  }

  const Finding& cause_of(const Finding& cell) const {
    return cell.source ? findings_.all[*cell.source] : cell;
  }

  /// "Score(The, sat) is printed as 1; it is 3"
  std::string statement(const Finding& cell) const {
    return fmt::format("{} is printed as {}; it is {}", cell_name(input_, cell.step, cell.cell),
                       draw::visible(cell.printed.text), shown_beside(cell));
  }

  static std::string likely(const Finding& cell) {
    if (!cell.kind.empty()) return fmt::format("Likely slip: {}.", cell.slip);
    if (cell.also.empty()) return "None of the usual slips gives what is printed.";
    return fmt::format("Too few digits to tell; it may be {}.", cell.also_text);
  }

  void first() {
    const Finding& cell = *wrong_.front();
    text_ += "\nThe first wrong number\n";
    line(fmt::format("{} ({}[{}]).", statement(cell), text(cell.step), fmt::join(cell.cell, ",")),
         2);
    line(arithmetic_of(record_, cell), 4);
    line(likely(cell), 2);
    if (cell.kind.empty()) return;
    const auto same = std::count_if(wrong_.begin(), wrong_.end(), [&cell](const Finding* other) {
      return other->step == cell.step && other->slip == cell.slip;
    });
    if (same > 1) {
      line(fmt::format("The same slip explains {} wrong numbers of the step {}.", same,
                       text(cell.step)),
           2);
    }
  }

  /// Wrong numbers by rows, without those that the first one's slip explains in its own step.
  std::vector<Cells> rows_after_first() const {
    const Finding& first = *wrong_.front();
    std::vector<Cells> rows;
    for (const Finding* cell : wrong_) {
      const bool told = cell == &first || (!first.slip.empty() && cell->step == first.step &&
                                           cell->slip == first.slip);
      if (told) continue;
      const bool same = !rows.empty() && rows.back().front()->step == cell->step &&
                        rows.back().front()->slip == cell->slip &&
                        same_row(*cell, *rows.back().front());
      if (!same) rows.emplace_back();
      rows.back().push_back(cell);
    }
    return rows;
  }

  void section(const std::string& title, const std::vector<Cells>& rows, bool following) {
    std::size_t count = 0;
    for (const Cells& row : rows) {
      if (row.front()->source.has_value() != following) continue;
      if (count++ == 0) text_ += "\n" + title + "\n";
      if (count <= kMostRows) following ? follow(row) : differ(row);
    }
    if (count > kMostRows) line(fmt::format("… and {} rows more.", count - kMostRows), 2);
  }

  void follow(const Cells& row) {
    const Finding& cause = cause_of(*row.front());
    if (is_projection(cause.step) && row.size() <= kMostCells && is_logit(row.front()->step)) {
      for (const Finding* cell : row) misread(*cell);
      return;
    }
    differ_as_row(row);
    line(fmt::format("This follows from {} as printed{}.", row_name(input_, cause.step, cause.cell),
                     in_cells(cause)),
         4);
  }

  /// ": Score(The, sat) = 1", the cause itself where it is the only wrong number of its row.
  std::string in_cells(const Finding& cause) const {
    const auto same = [&cause](const Finding* other) {
      return other->step == cause.step && same_row(*other, cause);
    };
    if (std::count_if(wrong_.begin(), wrong_.end(), same) != 1) return "";
    return fmt::format(", where {} is {}", cell_name(input_, cause.step, cause.cell),
                       draw::visible(cause.printed.text));
  }

  /// "Score(The, sat) is printed as 1; it is 3 because K_sat is [1, 1], not [0, 1]."
  void misread(const Finding& cell) {
    line(fmt::format("{} because {}.", statement(cell),
                     misreading(input_, findings_.all, cause_of(cell))),
         2);
    line(arithmetic_of(record_, cell), 4);
    line("as printed: " + arithmetic_of(findings_.carried, cell), 4);
  }

  void differ(const Cells& row) {
    if (row.size() == 1) {
      line(statement(*row.front()) + ".", 2);
      line(arithmetic_of(record_, *row.front()), 4);
    } else {
      differ_as_row(row);
    }
    line(likely(*row.front()), 4);
  }

  void differ_as_row(const Cells& row) {
    const Finding& cell = *row.front();
    if (row.size() > kMostCells) {
      line(fmt::format("{}: {} numbers differ.", capital(row_name(input_, cell.step, cell.cell)),
                       row.size()),
           2);
      return;
    }
    for (const Finding* one : row) line(statement(*one) + ".", 2);
  }

  const Record& record_;
  const Input& input_;
  const Findings& findings_;
  Cells wrong_;
  std::string text_;
};

}  // namespace

std::string check_text(const Record& record, const Findings& findings) {
  return Report(record, findings).write();
}

}  // namespace foveal::trace
