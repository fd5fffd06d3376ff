#include "trace/run/record.h"

#include <algorithm>
#include <cmath>

#include "core/filled.h"
#include "core/memory.h"
#include "core/number_text.h"
#include "foveal/error.h"
#include "trace/run/arithmetic.h"
#include "trace/run/recipe.h"
#include "trace/run/words.h"

namespace foveal::trace {
namespace {

/// Each number stands in the record, then as text in a view: about 64 bytes together.
constexpr double kBytesPerNumber = 64;

void require_memory(const Input& input) {
  const Sizes sizes = sizes_of(input);
  double numbers = 0;
  for (const StepName step : steps_of(input)) {
    double count = 1;
    for (std::int64_t size : shape_of(input, step)) count *= static_cast<double>(size);
    numbers += count;
  }
  const double needed = numbers * kBytesPerNumber;
  const auto usable = static_cast<double>(usable_memory());
  if (needed <= usable) return;
  throw Error(
      filled("/inputs: {} tokens and {} head{} make a trace of {} numbers, about {} GB with its "
             "view, but this process may use {} GB: explain fewer tokens",
             sizes.L, sizes.H, sizes.H == 1 ? "" : "s", number_text(numbers, 3),
             number_text(needed / 1e9, 3), number_text(usable / 1e9, 3)));
}

void require_followed(const Input& input, std::optional<std::int64_t> followed) {
  const std::int64_t length = input.inputs.size(0);
  if (!followed || (*followed >= 0 && *followed < length)) return;
  throw Error(filled("query #{} is out of range: there are {} tokens, #0 to #{}", *followed, length,
                     length - 1));
}

std::vector<std::string> axes_of(const Input& input, StepName step) {
  std::vector<std::string> axes = {"token", "feature"};
  if (is_pairwise(step)) axes = {"query", "key"};
  if (has_head_axis(input, step)) axes.insert(axes.begin(), "head");
  return axes;
}

Digits digits_of_step(const Input& input, StepName step, const Tensor& data) {
  const bool is_input = is_projection(step) && !input.W_query.defined();
  if (step == StepName::inputs || is_input) return digits_of_given(data);
  // A weight is a quotient: however small, it is no leftover.
  const bool is_weight = step == StepName::weights || step == StepName::dropped_weights;
  return is_weight ? digits_of(data) : digits_of_sums(data);
}

/// "1, 3": the queries that may attend to no key at all.
std::string fully_masked_rows(const Record& record) {
  const Step* mask = find_step(record, StepName::mask);
  if (mask == nullptr) return "";
  const bool* visible = mask->data.data<bool>();
  const std::int64_t length = mask->data.size(0);
  std::string rows;
  for (std::int64_t i = 0; i < length; ++i) {
    const bool* row = visible + i * length;
    if (std::find(row, row + length, true) != row + length) continue;
    rows += (rows.empty() ? "" : ", ") + std::to_string(i);
  }
  return rows;
}

/// What only the numbers can tell: rows without a key, overflow, digits that the views hide.
void add_notes_on_numbers(const Step& step, const std::string& empty_rows, std::string* note) {
  if (step.data.dtype() != DType::float64) return;
  const double* begin = step.data.data<double>();
  const double* end = begin + step.data.element_count();
  const bool has_nan = std::any_of(begin, end, [](double x) { return std::isnan(x); });
  const bool has_infinity = std::any_of(begin, end, [](double x) { return x == HUGE_VAL; });
  if (has_nan && empty_rows.empty()) {
    *note += " NaN: numbers before it went beyond float64's range.";
  } else if (has_nan && step.name == StepName::weights) {
    *note += filled(
        " Row {} is NaN: every key is masked there, each e^(−∞) is 0, so their sum is 0, and 0 / 0 "
        "is NaN. (The fast engine gives 0 for such a row.)",
        empty_rows);
  } else if (has_nan) {
    *note += filled(" NaN: query {} has no key to attend to.", empty_rows);
  }
  if (has_infinity) *note += " ∞: beyond float64's range, about 1.8e308.";
  if (shows_as_nothing(step.data, step.digits)) {
    *note +=
        " Some numbers here show as 0 but are not quite 0: below 1e-14 of the largest they are "
        "what "
        "rounding leaves where a sum cancels.";
  }
  if (step.name == StepName::inputs && step.digits.kind != Digits::Kind::given &&
      step.digits.decimals > 0) {
    *note += filled(" Shown with {} decimals; the input has more.", step.digits.decimals);
  }
}

}  // namespace

bool is_causal(const Record& record) {
  if (record.input.settings.mask == "causal") return true;
  const Step* mask = find_step(record, StepName::mask);
  // One token sees itself under any mask that shows it anything.
  if (mask == nullptr || mask->data.size(0) == 1) return false;
  const bool* visible = mask->data.data<bool>();
  const std::int64_t length = mask->data.size(0);
  for (std::int64_t i = 0; i < length; ++i) {
    for (std::int64_t j = 0; j < length; ++j) {
      if (*visible++ != (j <= i)) return false;
    }
  }
  return true;
}

Record run(const Input& input, std::optional<std::int64_t> followed) {
  require_followed(input, followed);
  require_memory(input);
  Record record;
  record.input = input;
  const Steps numbers = compute(right_recipe(record.input));
  const PerStep<Told> told = tell(record.input);
  for (const StepName name : steps_of(record.input)) {
    Step step{name,
              words_of(name).title,
              told[name].formula,
              axes_of(record.input, name),
              numbers[name].contiguous(),
              told[name].note};
    step.digits = digits_of_step(record.input, name, step.data);
    record.steps.push_back(std::move(step));
  }
  record.followed = followed.value_or(is_causal(record) ? input.inputs.size(0) - 1 : 0);
  const std::string empty_rows = fully_masked_rows(record);
  for (Step& step : record.steps) add_notes_on_numbers(step, empty_rows, &step.note);
  return record;
}

const Step* find_step(const Record& record, StepName name) {
  for (const Step& step : record.steps) {
    if (step.name == name) return &step;
  }
  return nullptr;
}

}  // namespace foveal::trace
