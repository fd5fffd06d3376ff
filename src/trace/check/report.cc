// The report of `foveal check` for people.

#include <algorithm>
#include <cmath>

#include "core/filled.h"
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

std::string numbers(std::size_t count) {
  return filled("{} printed number{}", count, count == 1 ? "" : "s");
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
      line(filled("{} checked. All agree, at the decimals they are printed with.",
                  numbers(findings_.all.size())));
      remarks();
      return text_;
    }
    line(filled("{} checked: {} agree, {} differ.", numbers(findings_.all.size()),
                findings_.all.size() - wrong_.size(), wrong_.size()));
    first();
    const std::vector<Cells> groups = groups_after_first();
    section("What follows from it", groups, true);
    section("Other differences", groups, false);
    remarks();
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
    return filled("{} is printed as {}; it is {}", cell_name(input_, cell.step, cell.cell),
                  draw::visible(cell.printed.text), shown_beside(cell));
  }

  /// Of numbers that agree, once each.
  void remarks() {
    std::string last;
    for (const Finding& finding : findings_.all) {
      if (!finding.agrees || finding.slip.empty() || finding.slip == last) continue;
      last = finding.slip;
      line(filled("Remark: in {}, {}.", cell_name(input_, finding.step, finding.cell),
                  draw::visible(finding.slip)));
    }
  }

  static std::string likely(const Finding& cell) {
    if (cell.kind.empty() && !cell.slip.empty()) return cell.slip + ".";
    if (!cell.kind.empty()) return filled("Likely slip: {}.", cell.slip);
    if (cell.also.empty()) return "None of the usual slips gives what is printed.";
    return filled("Too few digits to tell; it may be {}.", cell.also_text);
  }

  void first() {
    const Finding& cell = *wrong_.front();
    text_ += "\nThe first wrong number\n";
    line(filled("{} ({}[{}]).", statement(cell), text(cell.step), joined_with(cell.cell, ",")), 2);
    line(arithmetic_of(record_, cell), 4);
    line(likely(cell), 2);
    if (cell.kind.empty()) return;
    const auto same = std::count_if(wrong_.begin(), wrong_.end(), [&cell](const Finding* other) {
      return other->step == cell.step && other->slip == cell.slip;
    });
    if (same > 1) {
      line(filled("The same slip explains {} wrong numbers of the step {}.", same, text(cell.step)),
           2);
    }
  }

  /// Whether both are told at once: consequences by rows, slips by steps.
  static bool told_together(const Finding& a, const Finding& b) {
    return a.step == b.step && a.slip == b.slip && a.also == b.also &&
           (!b.source || same_row(a, b));
  }

  /// Wrong numbers after the first, without those that its slip explains in its own step.
  std::vector<Cells> groups_after_first() const {
    const Finding& first = *wrong_.front();
    std::vector<Cells> groups;
    for (const Finding* cell : wrong_) {
      if (cell == &first || (!first.slip.empty() && told_together(first, *cell))) continue;
      const auto same = std::find_if(groups.begin(), groups.end(), [cell](const Cells& group) {
        return told_together(*group.front(), *cell);
      });
      if (same == groups.end()) {
        groups.push_back({cell});
      } else {
        same->push_back(cell);
      }
    }
    return groups;
  }

  void section(const std::string& title, const std::vector<Cells>& groups, bool following) {
    std::size_t count = 0;
    for (const Cells& group : groups) {
      if (group.front()->source.has_value() != following) continue;
      if (count++ == 0) text_ += "\n" + title + "\n";
      if (count <= kMostRows) following ? follow(group) : differ(group);
    }
    if (count > kMostRows) line(filled("… and {} more.", count - kMostRows), 2);
  }

  void follow(const Cells& row) {
    const Finding& cause = cause_of(*row.front());
    if (is_projection(cause.step) && row.size() <= kMostCells && is_logit(row.front()->step)) {
      for (const Finding* cell : row) misread(*cell);
      return;
    }
    differ_as_row(row);
    line(filled("This follows from {} as printed{}.", row_name(input_, cause.step, cause.cell),
                in_cells(cause)),
         4);
  }

  /// ": Score(The, sat) = 1", the cause itself where it is the only wrong number of its row.
  std::string in_cells(const Finding& cause) const {
    const auto same = [&cause](const Finding* other) {
      return other->step == cause.step && same_row(*other, cause);
    };
    if (std::count_if(wrong_.begin(), wrong_.end(), same) != 1) return "";
    return filled(", where {} is {}", cell_name(input_, cause.step, cause.cell),
                  draw::visible(cause.printed.text));
  }

  /// "Score(The, sat) is printed as 1; it is 3 because K_sat is [1, 1], not [0, 1]."
  void misread(const Finding& cell) {
    line(filled("{} because {}.", statement(cell),
                misreading(input_, findings_.all, cause_of(cell))),
         2);
    line(arithmetic_of(record_, cell), 4);
    line("as printed: " + arithmetic_of(findings_.carried, cell), 4);
  }

  void differ(const Cells& group) {
    if (group.size() == 1) {
      line(statement(*group.front()) + ".", 2);
      line(arithmetic_of(record_, *group.front()), 4);
    } else {
      differ_as_row(group);
    }
    line(likely(*group.front()), 4);
  }

  void differ_as_row(const Cells& cells) {
    const std::size_t told = cells.size() > kMostCells ? kMostCells / 2 : cells.size();
    for (std::size_t i = 0; i < told; ++i) line(statement(*cells[i]) + ".", 2);
    if (told == cells.size()) return;
    line(filled("… and {} more numbers of the step {}.", cells.size() - told,
                text(cells.front()->step)),
         2);
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
