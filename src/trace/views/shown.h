#pragma once
// One matrix (or one a head) as the picture and the page show it: a step, or one of the input's W
// and b. Knows which cells are shown, and their text and colour.

#include <optional>
#include <string>
#include <vector>

#include "trace/run/record.h"
#include "trace/views/story.h"

namespace foveal::trace {

struct Shown {
  std::optional<StepName> step;  ///< nothing for W and b
  std::string name, title, formula, note;
  std::string row_axis, column_axis;  ///< "token", "query", "key", "feature"
  bool has_heads = false;             ///< cells are [head, row, column]
  bool is_vector = false;             ///< cells are [column]: a bias
  bool is_mask = false;               ///< shown without numbers where there is little room
  bool is_truth = false;              ///< true and false, not 1 and 0
  std::int64_t heads = 1;
  Window rows, columns;
  Digits digits;
  double full_heat = 1;  ///< the magnitude that has the full colour
  std::vector<double> values{};
  std::vector<bool> taken_out{};  ///< of a weight: masked or dropped; empty where none is
  std::string hatched_means{};    ///< "−∞ masked", "masked": for the scale

  double value(std::int64_t head, std::int64_t row, std::int64_t column) const;
  std::string text(std::int64_t head, std::int64_t row, std::int64_t column) const;
  /// -1 to 1.
  double heat(std::int64_t head, std::int64_t row, std::int64_t column) const;
  /// Masked, dropped, or not a number; a weight too, for its 0 is no small number.
  bool hatched(std::int64_t head, std::int64_t row, std::int64_t column) const;
  bool has(std::int64_t head, std::int64_t row, std::int64_t column) const;
  bool few() const { return rows.size <= kFew && columns.size <= kFew; }

 private:
  static constexpr std::int64_t kFew = 16;
  std::size_t place(std::int64_t head, std::int64_t row, std::int64_t column) const;
};

/// What the ends of the colours stand for.
struct ScaleEnds {
  std::string low, high;  ///< "−2.5000", "2.5000"; an empty low: from zero up
  std::string hatched;    ///< what hatched cells are; empty where there are none
};
ScaleEnds scale_ends(const Shown& shown);

Shown shown_step(const Record& record, const Step& step);
/// W (rows, columns) or b (columns). At most kMostCells of each are shown.
Shown shown_parameter(const std::string& name, const Tensor& data);

/// The wrong printed number of a cell, or null.
const Check* wrong_at(const Record& record, const Shown& shown, std::int64_t head, std::int64_t row,
                      std::int64_t column);

}  // namespace foveal::trace
