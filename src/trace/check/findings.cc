#include "trace/check/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "draw/text.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "trace/check/agreement.h"
#include "trace/check/step_check.h"
#include "trace/input/sizes.h"
#include "trace/run/arithmetic.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {

namespace {

/// Takes the steps in order and keeps what the slips found so far make of later ones.
class Examination {
 public:
  explicit Examination(const Record& record)
      : record_(record), right_{changed_run(record), {}}, carried_(right_) {}

  Findings run() {
    for (const ExpectedStep& expected : record_.input.expected) {
      std::vector<Finding> cells = printed_cells(record_, expected);
      const auto good = [](const Finding& cell) { return cell.agrees; };
      if (!std::all_of(cells.begin(), cells.end(), good)) explain(expected.name, cells);
      for (const Finding& cell : cells) {
        printed_.push_back({cell.step, cell.cell, cell.printed.value, 0});
      }
      all_.insert(all_.end(), cells.begin(), cells.end());
    }
    if (all_.empty()) {
      throw Error(
          "/expected: missing or without a number: add the printed numbers to check, a step by its "
          "name");
    }
    return {std::move(all_), carried_record()};
  }

 private:
  Tensor data(const Base& base, StepName step) const {
    return recompute(record_, base.recipe, base.substitutions).at(step);
  }

  void explain(StepName step, std::vector<Finding>& cells) {
    StepCheck check(record_, all_, cells);
    const bool given =
        step == StepName::inputs || step == StepName::mask || step == StepName::dropout_mask;
    if (slipped_ && !given) follow(step, check);
    check.name_cuts();
    std::optional<Slip> whole = check.name_usual(right_, "");
    if (slipped_ && !whole) whole = check.name_usual(carried_, ", beside the slip before");
    check.name_single(data(right_, step));
    if (slipped_) check.name_single(data(carried_, step));
    check.name_rounding(data({carried_.recipe, printed_}, step));
    if (whole) whole->plant(carried_.recipe);
    const std::vector<Substitution>& roots = check.roots();
    carried_.substitutions.insert(carried_.substitutions.end(), roots.begin(), roots.end());
    slipped_ = slipped_ || whole || !roots.empty();
  }

  /// First from the slips as they were made, then with room for rounding, then from what is
  /// printed.
  void follow(StepName step, StepCheck& check) const {
    const Tensor carried = data(carried_, step);
    check.name_following(carried, {});
    check.name_following(carried, slack(step, carried));
    check.name_following(data({carried_.recipe, printed_}, step), {});
  }

  /// How far the rounding of wrong numbers may move each cell. Of many, the first few are asked.
  Tensor slack(StepName step, const Tensor& carried) const {
    constexpr int most = 8;
    Tensor total = Tensor::zeros(carried.shape(), DType::float64);
    int asked = 0;
    for (std::size_t i = 0; i < carried_.substitutions.size() && asked < most; ++i) {
      if (carried_.substitutions[i].uncertainty == 0) continue;
      ++asked;
      Base moved = carried_;
      moved.substitutions[i].value += moved.substitutions[i].uncertainty;
      total = total + abs(data(moved, step) - carried);
    }
    return total;
  }

  Record carried_record() const {
    Record result = record_;
    const auto steps = recompute(record_, carried_.recipe, carried_.substitutions);
    for (Step& step : result.steps) {
      const auto found = steps.find(step.name);
      if (found != steps.end()) step.data = found->second;
    }
    return result;
  }

  const Record& record_;
  const Base right_;
  Base carried_;  ///< with the slips found so far
  bool slipped_ = false;
  std::vector<Substitution> printed_;  ///< every number printed so far
  std::vector<Finding> all_;
};

}  // namespace

std::vector<Finding> printed_cells(const Record& record, const ExpectedStep& expected) {
  const Step* step = find_step(record, expected.name);
  if (step == nullptr) {
    throw Error("/expected/" + text(expected.name) +
                ": this input has no such step: remove it, or add the setting that makes it");
  }
  std::vector<Finding> cells;
  for (std::size_t h = 0; h < expected.heads.size(); ++h) {
    for (std::size_t i = 0; i < expected.heads[h].size(); ++i) {
      for (std::size_t j = 0; j < expected.heads[h][i].size(); ++j) {
        const auto& printed = expected.heads[h][i][j];
        if (!printed) continue;
        std::vector<std::int64_t> cell = {static_cast<std::int64_t>(i),
                                          static_cast<std::int64_t>(j)};
        if (step->data.rank() == 3) cell.insert(cell.begin(), static_cast<std::int64_t>(h));
        const double ours = step->data.at(cell);
        cells.push_back({expected.name, cell, *printed, ours, agrees(ours, *printed), "", {}});
      }
    }
  }
  return cells;
}

std::string misreading(const Input& input, const std::vector<Finding>& findings,
                       const Finding& cell) {
  constexpr std::size_t longest = 8;
  const Sizes sizes = sizes_of(input);
  const auto width = static_cast<std::size_t>(cell.step == StepName::values ? sizes.D_v : sizes.D);
  std::vector<std::string> printed;
  std::vector<std::string> ours;
  for (const Finding& other : findings) {
    if (other.step != cell.step || !same_row(other, cell)) continue;
    printed.push_back(draw::visible(other.printed.text));
    ours.push_back(shown_beside(other));
  }
  if (printed.size() < width || width > longest) {
    return fmt::format("{} is {}, not {}", cell_name(input, cell.step, cell.cell),
                       shown_beside(cell), draw::visible(cell.printed.text));
  }
  return fmt::format("{} is [{}], not [{}]", row_name(input, cell.step, cell.cell),
                     fmt::join(ours, ", "), fmt::join(printed, ", "));
}

bool same_row(const Finding& a, const Finding& b) {
  return a.cell.size() == b.cell.size() &&
         std::equal(a.cell.begin(), a.cell.end() - 1, b.cell.begin());
}

std::string shown_beside(const Finding& cell) {
  if (std::trunc(cell.ours) == cell.ours) return show(cell.ours, 0);
  return show(cell.ours, std::max(4, cell.printed.decimals));
}

Findings find_slips(const Record& record) { return Examination(record).run(); }

}  // namespace foveal::trace
