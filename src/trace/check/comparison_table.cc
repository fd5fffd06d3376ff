#include "trace/check/comparison_table.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/filled.h"
#include "draw/terminal.h"
#include "draw/text.h"
#include "trace/check/check.h"
#include "trace/input/sizes.h"
#include "trace/run/arithmetic.h"
#include "trace/run/cell_names.h"
#include "trace/run/recipe.h"

namespace foveal::trace {

namespace {

constexpr std::int64_t kMostKeys = 12;  ///< more tokens or features: wrong numbers alone
constexpr int kColumn = 12;

/// What a record has for a printed step: scores are scaled where it has a scale, and scaled ones
/// plain where it has none.
const Step& step_for(const Record& record, StepName printed) {
  const bool score = printed == StepName::scores || printed == StepName::scaled_scores;
  const Step* found = find_step(record, score ? StepName::scaled_scores : printed);
  return found != nullptr ? *found : *find_step(record, StepName::scores);
}

class Table {
 public:
  Table(const Record& record, const std::vector<Finding>& findings, const Finding& wrong)
      : input_(record.input), sizes_(sizes_of(input_)) {
    const Place place = place_of(wrong.cell);
    row_ = place.row;
    head_ = wrong.step == StepName::context ? place.column / sizes_.D_v : place.head;
    for (const Scale::Kind kind : {Scale::Kind::none, Scale::Kind::sqrt}) {
      corrected_.push_back(with_scale(input_, kind, row_));
    }
    for (const Finding& finding : findings) {
      const Place at = place_of(finding.cell);
      const bool here = at.row == row_ && (finding.cell.size() == 2 || at.head == head_);
      if (here) printed_[{finding.step, at.column}] = &finding;
    }
  }

  std::string write() {
    add({StepName::masked_scores, StepName::scaled_scores, StepName::scores});
    add({StepName::dropped_weights, StepName::weights});
    add({StepName::context});
    return title() + header() + lines_ + footer();
  }

 private:
  std::string title() const {
    const std::string head = sizes_.H > 1 ? filled(", head {}", head_) : "";
    return filled("\nThe row of {}{}, printed and corrected\n", token_name(input_, row_), head);
  }

  std::string header() const { return line("", "printed", {"unscaled", "scaled"}, false); }

  std::string footer() const {
    std::string setting = "\"sqrt\": compare with scaled";
    if (input_.settings.scale.kind == Scale::Kind::none) {
      setting = "\"none\": compare with unscaled";
    } else if (input_.settings.scale.kind == Scale::Kind::factor) {
      setting = filled("{}: neither", input_.settings.scale.factor);
    }
    return filled("  ! differs. This input's scale is {}.\n", setting);
  }

  static std::string line(const std::string& name, const std::string& printed,
                          const std::vector<std::string>& numbers, bool wrong) {
    std::string result = "  " + draw::terminal::pad_right(draw::terminal::cut(name, 36), 36) +
                         draw::terminal::pad_left(printed, kColumn) + (wrong ? " !" : "  ");
    for (const std::string& number : numbers) result += draw::terminal::pad_left(number, kColumn);
    return result + "\n";
  }

  /// The first of these steps that is printed in this row, else the last of them.
  StepName shown(const std::vector<StepName>& names) const {
    for (const StepName name : names) {
      const auto found = printed_.lower_bound({name, 0});
      if (found != printed_.end() && found->first.first == name) return name;
    }
    return names.back();
  }

  void add(const std::vector<StepName>& names) {
    const StepName step = shown(names);
    const bool context = step == StepName::context;
    const std::int64_t start = context ? head_ * sizes_.D_v : 0;
    const std::int64_t count = context ? sizes_.D_v : sizes_.L;
    std::int64_t left_out = 0;
    std::int64_t told = 0;
    for (std::int64_t j = start; j < start + count; ++j) {
      const auto found = printed_.find({step, j});
      const Finding* cell = found == printed_.end() ? nullptr : found->second;
      const bool wanted = count <= kMostKeys || (cell != nullptr && !cell->agrees);
      if (!wanted || told == kMostKeys) {
        ++left_out;
        continue;
      }
      ++told;
      add_line(step, cell, j);
    }
    if (left_out > 0 && told > 0) lines_ += filled("  … {} more\n", left_out);
  }

  void add_line(StepName step, const Finding* cell, std::int64_t column) {
    std::vector<std::string> numbers;
    for (const Record& record : corrected_) {
      const Step& shown = step_for(record, step);
      const Tensor matrix = of_head(shown.data, head_);
      numbers.push_back(show(matrix.at({row_, column}), shown_decimals(matrix[row_])));
    }
    const std::string place =
        is_pairwise(step) ? filled("({}, {})", token_name(input_, row_), token_name(input_, column))
                          : filled("({})[{}]", token_name(input_, row_), column);
    lines_ +=
        line(words_of(step).cell + place,
             cell == nullptr ? "–" : draw::terminal::cut(draw::visible(cell->printed.text), 11),
             numbers, cell != nullptr && !cell->agrees);
  }

  const Input& input_;
  const Sizes sizes_;
  std::int64_t row_ = 0;
  std::int64_t head_ = 0;
  std::vector<Record> corrected_;                                        ///< unscaled and scaled
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
