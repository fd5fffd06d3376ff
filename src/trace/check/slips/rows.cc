// Rows of a step that all stand one place off.

#include <algorithm>

#include "core/filled.h"
#include "foveal/operations.h"
#include "trace/check/slips/list.h"

namespace foveal::trace {
namespace {

/// Row i takes the row `away` further down; beyond the ends around, or the last one once more.
Tensor shifted(const Tensor& data, std::int64_t away, bool around) {
  const std::int64_t length = data.size(-2);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < length; ++i) {
    const std::int64_t from = i + away;
    rows.push_back(around ? (from + length) % length
                          : std::clamp<std::int64_t>(from, 0, length - 1));
  }
  return index_select(data, data.rank() - 2, Tensor::from_vector(rows, {length}));
}

}  // namespace

void add_row_slips(SlipList* list) {
  for (const StepName step : steps_of(list->input())) {
    if (is_given(step)) continue;
    for (const std::int64_t away : {-1, 1}) {
      for (const bool around : {true, false}) {
        list->plant("row_shifted", step,
                    filled("the rows of the {} stand one place too {}", text(step),
                           away < 0 ? "low" : "high"),
                    [=](Recipe& recipe) {
                      recipe[step] = [rule = recipe[step], away, around](const Steps& before) {
                        return shifted(rule(before), away, around);
                      };
                    });
      }
    }
  }
}

}  // namespace foveal::trace
