#include "trace/check/comparison_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "draw/terminal.h"
#include "draw/text.h"
#include "trace/check/check.h"
#include "trace/input/sizes.h"
#include "trace/run/arithmetic.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {

namespace {

constexpr std::int64_t kMostKeys = 12;  ///< more tokens or features: wrong numbers alone
constexpr int kColumn = 12;

/// A step as the table shows it; `names` are the record's steps, the first printed one is shown.
struct Block {
  std::string title;
  std::vector<StepName> names;
  Tensor Corrected::* numbers;
};

class Table {
 public:
  Table(const Record& record, const std::vector<Finding>& findings, const Finding& wrong)
      : input_(record.input), sizes_(sizes_of(input_)) {
    const Place place = place_of(wrong.cell);
    row_ = place.row;
    head_ = wrong.step == StepName::context ? place.column / sizes_.D_v : place.head;
    corrected_ = corrected(input_, row_);
    for (const Finding& finding : findings) {
      const Place at = place_of(finding.cell);
      const bool here = at.row == row_ && (finding.cell.size() == 2 || at.head == head_);
      if (here) printed_[{finding.step, at.column}] = &finding;
    }
  }

  std::string write() {
    add({"Score",
         {StepName::masked_scores, StepName::scaled_scores, StepName::scores},
         &Corrected::scores});
    add({"Weight", {StepName::dropped_weights, StepName::weights}, &Corrected::weights});
    add({"Context", {StepName::context}, &Corrected::context});
    return title() + header() + lines_ + footer();
  }

 private:
  std::string title() const {
    const std::string head = sizes_.H > 1 ? fmt::format(", head {}", head_) : "";
    return fmt::format("\nThe row of {}{}, printed and corrected\n", token_name(input_, row_),
                       head);
  }

  std::string header() const { return line("", "printed", {"unscaled", "scaled"}, false); }

  std::string footer() const {
    std::string setting = "\"sqrt\": compare with scaled";
    if (input_.settings.scale.kind == Scale::Kind::none) {
      setting = "\"none\": compare with unscaled";
    } else if (input_.settings.scale.kind == Scale::Kind::factor) {
      setting = fmt::format("{}: neither", input_.settings.scale.factor);
    }
    return fmt::format("  ! differs. This input's scale is {}.\n", setting);
  }

  static std::string line(const std::string& name, const std::string& printed,
                          const std::vector<std::string>& numbers, bool wrong) {
    std::string result = "  " + draw::terminal::pad_right(name, 36) +
                         draw::terminal::pad_left(printed, kColumn) + (wrong ? " !" : "  ");
    for (const std::string& number : numbers) result += draw::terminal::pad_left(number, kColumn);
    return result + "\n";
  }

  const Finding* printed(const Block& block, std::int64_t column) const {
    for (const StepName name : block.names) {
      const auto found = printed_.find({name, column});
      if (found != printed_.end()) return found->second;
    }
    return nullptr;
  }

  void add(const Block& block) {
    const bool context = block.title == "Context";
    const std::int64_t start = context ? head_ * sizes_.D_v : 0;
    const std::int64_t count = context ? sizes_.D_v : sizes_.L;
    std::int64_t left_out = 0;
    std::int64_t shown = 0;
    for (std::int64_t j = start; j < start + count; ++j) {
      const Finding* cell = printed(block, j);
      const bool wanted = count <= kMostKeys || (cell != nullptr && !cell->agrees);
      if (!wanted || shown == kMostKeys) {
        ++left_out;
        continue;
      }
      ++shown;
      const std::string name = context
                                   ? fmt::format("Context({})[{}]", token_name(input_, row_), j)
                                   : fmt::format("{}({}, {})", block.title,
                                                 token_name(input_, row_), token_name(input_, j));
      add_line(name, cell, block.numbers, j);
    }
    if (left_out > 0 && shown > 0) lines_ += fmt::format("  … {} more\n", left_out);
  }

  void add_line(const std::string& name, const Finding* cell, Tensor Corrected::* member,
                std::int64_t column) {
    std::vector<std::string> numbers;
    for (const Corrected& one : corrected_) {
      const Tensor& all = one.*member;
      const Tensor row = all.rank() == 2 ? all[head_] : all;
      numbers.push_back(show(row.at({column}), shown_decimals(row)));
    }
    lines_ += line(
        name, cell == nullptr ? "–" : draw::terminal::cut(draw::visible(cell->printed.text), 11),
        numbers, cell != nullptr && !cell->agrees);
  }

  const Input& input_;
  const Sizes sizes_;
  std::int64_t row_ = 0;
  std::int64_t head_ = 0;
  std::vector<Corrected> corrected_;
  std::map<std::pair<StepName, std::int64_t>, const Finding*> printed_;  ///< of this row
  std::string lines_;
};

}  // namespace

std::string comparison_table(const Record& record, const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    const bool shown = is_pairwise(finding.step) || finding.step == StepName::context;
    if (!finding.agrees && shown) return Table(record, findings, finding).write();
  }
  return "";
}

}  // namespace foveal::trace
