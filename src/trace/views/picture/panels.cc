#include "trace/views/picture/panels.h"

#include <algorithm>
#include <cmath>

#include "core/filled.h"
#include "draw/look.h"
#include "draw/text.h"

namespace foveal::trace {
namespace {

constexpr double kHeatPitch = 12;
constexpr double kTruthPitch = 14;     // masks need no numbers,
constexpr double kLongTruthPitch = 6;  // so they are small
constexpr double kFeaturePitch = 28;   // few columns may be wide
constexpr double kLargestPitch = 24;   // where a narrow picture has no room for numbers
constexpr double kSmallestPitch = 2;

/// Heat alone, in cells of `wanted` or as large as the room lets them be.
draw::GridSizes heat_sizes(const std::vector<draw::Grid>& grids, const draw::Pitch& wanted,
                           const Room& room) {
  const draw::GridSizes sizes = draw::measure(grids, false, wanted, room.label_limit);
  const double fitting = (room.width - sizes.label_width) / static_cast<double>(grids[0].columns());
  if (fitting >= wanted.width) return sizes;
  const double side = std::max(std::floor(fitting * 2) / 2, kSmallestPitch);
  return draw::measure(grids, false, {side, std::min(side, wanted.height)}, room.label_limit);
}

class StepPanel {
 public:
  StepPanel(const Record& record, const Step& step, const Pair& pair)
      : record_(record), pair_(pair), shown_(shown_step(record, step)) {}

  draw::Panel panel(const Room& room) {
    draw::Panel panel;
    panel.title = shown_.title;
    if (shown_.step) panel.aside = in_the_chapter(*shown_.step);
    panel.formula = shown_.formula;
    for (std::int64_t head = 0; head < shown_.heads; ++head) panel.grids.push_back(grid(head));
    panel.sizes = sizes(panel.grids, room);
    arrange(panel, room.width);
    if (shown_.is_mask) {
      panel.note = shown_.step == StepName::mask ? "hatched: may not attend" : "hatched: dropped";
    } else if (!panel.sizes.numbers) {
      const ScaleEnds ends = scale_ends(shown_);
      panel.scale = draw::Scale{ends.low, ends.high, ends.hatched};
      if (shown_.step == StepName::weights) panel.note = most_attended();
    }
    return panel;
  }

 private:
  draw::Grid grid(std::int64_t head) const {
    draw::Grid grid;
    if (shown_.has_heads) grid.caption = filled("head {}", head);
    for (std::int64_t column = shown_.columns.begin; column < shown_.columns.end; ++column) {
      grid.column_labels.push_back(axis_label(record_, shown_.column_axis, column));
    }
    for (std::int64_t row = shown_.rows.begin; row < shown_.rows.end; ++row) {
      grid.row_labels.push_back(axis_label(record_, shown_.row_axis, row));
      for (std::int64_t column = shown_.columns.begin; column < shown_.columns.end; ++column) {
        grid.cells.push_back(cell(head, row, column));
      }
    }
    mark_followed(grid, head);
    return grid;
  }

  draw::Cell cell(std::int64_t head, std::int64_t row, std::int64_t column) const {
    const Check* wrong = wrong_at(record_, shown_, head, row, column);
    return {shown_.text(head, row, column), shown_.heat(head, row, column),
            shown_.hatched(head, row, column), wrong != nullptr ? pretty(wrong->printed) : ""};
  }

  // Keys and values are not the followed query's; there the key looked at counts.
  void mark_followed(draw::Grid& grid, std::int64_t head) const {
    const bool looked_at_here = head == pair_.head || !shown_.has_heads;
    if (shown_.step != StepName::keys && shown_.step != StepName::values) {
      grid.followed = static_cast<std::size_t>(record_.followed - shown_.rows.begin);
    } else if (looked_at_here && shown_.has(head, pair_.key, shown_.columns.begin)) {
      grid.looked_at_row = static_cast<std::size_t>(pair_.key - shown_.rows.begin);
    }
    if (shown_.column_axis == "key" && looked_at_here &&
        shown_.has(head, shown_.rows.begin, pair_.key)) {
      grid.looked_at_column = static_cast<std::size_t>(pair_.key - shown_.columns.begin);
    }
  }

  draw::GridSizes sizes(const std::vector<draw::Grid>& grids, const Room& room) const {
    const bool numbers = shown_.few() && !shown_.is_mask;
    const draw::GridSizes wanted = draw::measure(grids, numbers, pitch(), room.label_limit);
    if (wanted.width(grids[0], true) <= room.width) return wanted;
    return heat_sizes(grids, {kLargestPitch, kLargestPitch}, room);
  }

  draw::Pitch pitch() const {
    if (shown_.is_mask && shown_.few()) return {kTruthPitch, kTruthPitch};
    if (shown_.is_mask) return {kLongTruthPitch, kLongTruthPitch};
    const bool wide = shown_.columns.shown() <= draw::kMostNumbers;
    return {wide ? kFeaturePitch : kHeatPitch, kHeatPitch};
  }

  /// "The looks most at cat 0.5760, The 0.2840", in the head of the pair.
  std::string most_attended() const {
    const auto weight = [&](std::int64_t key) {
      return shown_.value(pair_.head, record_.followed, key);
    };
    std::vector<std::int64_t> keys;
    for (std::int64_t key = 0; key < shown_.columns.size; ++key) {
      if (weight(key) > 0) keys.push_back(key);
    }
    std::stable_sort(keys.begin(), keys.end(),
                     [&](std::int64_t a, std::int64_t b) { return weight(a) > weight(b); });
    keys.resize(std::min<std::size_t>(keys.size(), 3));
    if (keys.empty()) return "";
    std::vector<std::string> parts;
    parts.reserve(keys.size());
    for (const std::int64_t key : keys) {
      parts.push_back(short_token(key) + " " + pretty(weight(key), shown_.digits));
    }
    const std::string head = shown_.has_heads ? filled("Head {}: ", pair_.head) : "";
    return filled("{}{} looks most at {}", head, short_token(record_.followed),
                  joined_with(parts, ", "));
  }

  std::string short_token(std::int64_t index) const {
    return draw::cut(token_in_words(record_, index), draw::kLabelSize, draw::Font::sans, 56);
  }

  const Record& record_;
  const Pair& pair_;
  Shown shown_;
};

/// A W, and the b that is added to its product.
class WeightPanel {
 public:
  WeightPanel(const std::string& name, const Tensor& weight, const Tensor& bias)
      : weight_(shown_parameter("W_" + name, weight)) {
    if (!bias.defined()) return;
    bias_ = shown_parameter("b_" + name, bias);
    bias_->full_heat = weight_.full_heat = std::max(bias_->full_heat, weight_.full_heat);
  }

  draw::Panel panel(std::int64_t blocks, const Room& room) const {
    draw::Panel panel;
    panel.title = weight_.title;
    panel.formula = weight_.formula;
    panel.note = weight_.note;
    if (bias_) {
      if (panel.note.empty()) panel.note = bias_->note;
      panel.title += ", " + bias_->title;
      panel.formula += ", " + bias_->formula;
    }
    const std::int64_t width = weight_.columns.size / blocks;
    const bool numbers = weight_.rows.size <= draw::kMostNumbers && width <= draw::kMostNumbers &&
                         weight_.columns.whole();
    numbers ? add_numbers(panel, width, room) : add_heat(panel, room);
    arrange(panel, room.width);
    return panel;
  }

 private:
  void add_numbers(draw::Panel& panel, std::int64_t width, const Room& room) const {
    panel.grids = {grid(0, weight_.columns.size)};
    panel.sizes = draw::measure(panel.grids, true, {}, room.label_limit);
    const auto fitting =
        static_cast<std::int64_t>((room.width - panel.sizes.label_width) / panel.sizes.cell_width);
    const std::int64_t most = std::max<std::int64_t>(fitting, 1);
    panel.grids.clear();
    for (std::int64_t begin = 0; begin < weight_.columns.size;) {
      const std::int64_t block_end = (begin / width + 1) * width;
      const std::int64_t end = std::min(begin + most, block_end);
      panel.grids.push_back(grid(begin, end));
      begin = end;
    }
    if (most >= width) return;
    panel.note += (panel.note.empty() ? "" : "; ") +
                  std::string("columns that don't fit side by side stand below one another");
  }

  void add_heat(draw::Panel& panel, const Room& room) const {
    panel.grids = {grid(weight_.columns.begin, weight_.columns.end)};
    const bool few_columns = weight_.columns.shown() <= draw::kMostNumbers;
    panel.sizes =
        heat_sizes(panel.grids, {few_columns ? kFeaturePitch : kHeatPitch, kHeatPitch}, room);
    const ScaleEnds ends = scale_ends(weight_);
    panel.scale = draw::Scale{ends.low, ends.high, ends.hatched};
  }

  draw::Grid grid(std::int64_t begin, std::int64_t end) const {
    draw::Grid grid;
    for (std::int64_t row = weight_.rows.begin; row < weight_.rows.end; ++row) {
      grid.row_labels.push_back(std::to_string(row));
      add_row(grid, weight_, row, begin, end);
    }
    for (std::int64_t column = begin; column < end; ++column) {
      grid.column_labels.push_back(std::to_string(column));
    }
    if (bias_) {
      grid.apart = grid.row_labels.size();
      grid.row_labels.push_back(bias_->name);
      add_row(grid, *bias_, 0, begin, end);
    }
    return grid;
  }

  static void add_row(draw::Grid& grid, const Shown& shown, std::int64_t row, std::int64_t begin,
                      std::int64_t end) {
    for (std::int64_t column = begin; column < end; ++column) {
      grid.cells.push_back({shown.text(0, row, column), shown.heat(0, row, column)});
    }
  }

  Shown weight_;
  std::optional<Shown> bias_;
};

}  // namespace

draw::Panel step_panel(const Record& record, const Step& step, const Pair& pair, const Room& room) {
  return StepPanel(record, step, pair).panel(room);
}

std::optional<draw::Panel> weight_panel(const std::string& name, const Tensor& weight,
                                        const Tensor& bias, std::int64_t blocks, const Room& room) {
  if (!weight.defined()) return std::nullopt;
  return WeightPanel(name, weight, bias).panel(blocks, room);
}

}  // namespace foveal::trace
