#include "trace/check/carried.h"

#include <algorithm>
#include <cmath>

#include "foveal/operations.h"
#include "trace/check/agreement.h"

namespace foveal::trace {
namespace {

/// Of more cells, a column at a time is moved.
constexpr std::int64_t kMostMoved = 2048;
/// Moves of single numbers add up to a little less than a move of all.
constexpr double kBeyondFirstOrder = 1.1;

Steps centres(const PerStep<Range>& ranges) {
  Steps steps;
  for (const StepName step : kAllSteps) steps[step] = ranges[step].centre;
  return steps;
}

/// Adds |moved - centre|, where both are numbers.
void add_distance(const Tensor& moved, const Tensor& centre, std::vector<double>* total) {
  const std::vector<double> a = moved.to_vector(), b = centre.to_vector();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double distance = std::abs(a[i] - b[i]);
    if (std::isfinite(distance)) (*total)[i] += distance;
  }
}

/// `centre` with every `stride`-th number from `first` on moved by its radius.
Tensor moved(const Range& range, std::int64_t first, std::int64_t stride) {
  std::vector<double> numbers = range.centre.to_vector();
  const std::vector<double> radius = range.radius.to_vector();
  for (auto i = static_cast<std::size_t>(first); i < numbers.size();
       i += static_cast<std::size_t>(stride)) {
    if (std::isfinite(numbers[i])) numbers[i] += radius[i];
  }
  return Tensor::from_vector(numbers, range.centre.shape());
}

bool has_radius(const Range& range) {
  if (!range.radius.defined()) return false;
  for (const double radius : range.radius.to_vector()) {
    if (radius > 0) return true;
  }
  return false;
}

/// True where a float64 step needs no more than these decimals.
bool fits_decimals(const Tensor& data, int decimals) {
  const double unit = std::pow(10.0, decimals);
  for (const double number : data.to_vector()) {
    if (!std::isfinite(number)) continue;
    if (std::abs(number * unit - std::round(number * unit)) > 1e-7) return false;
  }
  return true;
}

bool nearly_same(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(b));
}

/// A row whose every key is masked or dropped is NaN; many programs print 0 there, or equal shares.
bool stands_for_nan(StepName step, double value, const Finding& cell) {
  if (!std::isnan(value) || step < StepName::weights) return false;
  if (cell.printed.value == 0 || step >= StepName::context) return true;
  return step == StepName::weights && cell.printed.value > 0 && cell.printed.value < 1;
}

bool same_numbers(const Tensor& a, const Tensor& b) {
  const std::vector<double> left = a.to_vector(), right = b.to_vector();
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), nearly_same);
}

/// A number that doesn't come out exactly, with as many digits as are known; `by_hand` is what
/// comes out of the numbers as printed.
double meant_by(const Finding& cell, double by_hand) {
  if (cell.meant) return *cell.meant;
  if (agrees(by_hand, cell.printed)) return by_hand;
  return cell.agrees ? cell.ours : cell.printed.value;
}

/// Whether a number comes out of a step in its two readings: with every digit, or else by hand.
bool comes_out(const std::array<Tensor, 2>& step, const Finding& cell, bool every_digit) {
  return agrees(step[0].at(cell.cell), cell.printed) ||
         (!every_digit && agrees(step[1].at(cell.cell), cell.printed));
}

}  // namespace

Interval interval_of(const PrintedNumber& printed) {
  // Rounded: half a unit to each side. Cut: up to a unit further from zero.
  const double half = half_unit(printed);
  if (printed.value == 0) return {0, 2 * half};
  const double away = printed.value > 0 ? 0.5 * half : -0.5 * half;
  return {printed.value + away, 1.5 * half};
}

bool meet(const Interval& a, const Interval& b) {
  if (!std::isfinite(a.centre) || !std::isfinite(b.centre)) {
    return nearly_same(a.centre, b.centre);
  }
  const double size = std::max({1.0, std::abs(a.centre), std::abs(b.centre)});
  return std::abs(a.centre - b.centre) <= a.radius + b.radius + 1e-9 * size;
}

Interval Range::at(const std::vector<std::int64_t>& cell) const {
  return {centre.at(cell), radius.defined() ? radius.at(cell) : 0};
}

Carried::Carried(const Record& record, const PerStep<std::vector<Finding>>& cells)
    : record_(record), cells_(cells), recipe_(right_recipe(record.input)) {}

Range Carried::range(StepName step, const Rule& rule) const {
  const Steps before = centres(ranges_);
  Range result{rule(before), {}};
  if (!result.centre.defined() || result.centre.dtype() != DType::float64) return result;
  std::vector<double> total(static_cast<std::size_t>(result.centre.element_count()));
  bool any = false;
  for (const StepName parent : kAllSteps) {
    const Range& range = ranges_[parent];
    if (parent >= step || !has_radius(range)) continue;
    Steps seen = before;
    // Every other number: softmax doesn't see all of a row moved alike.
    const auto shows = [&](std::int64_t first) {
      seen[parent] = moved(range, first, 2);
      return !same_numbers(rule(seen), result.centre);
    };
    if (!shows(0) && !shows(1)) continue;  // the rule doesn't read this step
    any = true;
    const std::int64_t count = range.centre.element_count();
    const std::int64_t moves = count <= kMostMoved ? count : range.centre.size(-1);
    for (std::int64_t i = 0; i < moves; ++i) {
      seen[parent] = moved(range, i, moves);
      add_distance(rule(seen), result.centre, &total);
    }
  }
  if (!any) return result;
  for (double& radius : total) radius *= kBeyondFirstOrder;
  result.radius = Tensor::from_vector(total, result.centre.shape());
  return result;
}

void Carried::put(StepName step, std::array<Tensor, 2> data, std::array<Steps, 2>* steps) const {
  const std::vector<Finding>& cells = cells_[step];
  if (!cells.empty()) {
    for (Tensor& one : data) one = one.clone();
  }
  for (const Finding& cell : cells) {
    const double exact = data[0].at(cell.cell), printed = data[1].at(cell.cell);
    data[1].set(cell.cell, cell.printed.value);
    if (agrees(exact, cell.printed) && !cell.meant) continue;
    data[0].set(cell.cell, meant_by(cell, printed));
  }
  for (std::size_t reading = 0; reading < 2; ++reading) (*steps)[reading][step] = data[reading];
}

Carried::Outcome Carried::attempt(const Slip& slip, StepName last) const {
  Recipe changed = recipe_;
  slip.plant(changed);
  std::array<Steps, 2> steps = steps_;
  bool explains = false;
  for (const StepName step : kAllSteps) {
    if (step < slip.step) continue;
    if (step > last) break;
    const std::array<Tensor, 2> data = {changed[step](steps[0]), changed[step](steps[1])};
    if (!data[0].defined()) continue;
    const std::optional<Outcome> told = judge(step, data);
    if (told && *told != Outcome::explains) return *told;
    explains = explains || told.has_value();
    put(step, data, &steps);
  }
  return explains ? Outcome::explains : Outcome::differs;
}

std::optional<Carried::Outcome> Carried::judge(StepName step,
                                               const std::array<Tensor, 2>& data) const {
  std::optional<Outcome> told;
  // The step without the slip. Of steps after the one that is looked at it isn't known yet.
  std::array<Tensor, 2> without;
  const bool known = is_next(step);
  for (const Finding& cell : cells_[step]) {
    const double exact = data[0].at(cell.cell), printed = data[1].at(cell.cell);
    const bool every_digit = agrees(exact, cell.printed) || stands_for_nan(step, exact, cell);
    if (!every_digit && !agrees(printed, cell.printed)) {
      if (!settled_[step]) return Outcome::differs;
      // A settled number that the slip doesn't touch says nothing against it.
      if (!nearly_same(exact, raw_[step].at(cell.cell))) return Outcome::contradicted;
      continue;
    }
    if (told || !cell.is_open()) continue;
    if (known && !without[0].defined()) {
      without = {next(step, Reading::exact), next(step, Reading::printed)};
    }
    if (!known || !comes_out(without, cell, every_digit)) told = Outcome::explains;
  }
  return told;
}

bool Carried::is_next(StepName step) const {
  return std::all_of(kAllSteps.begin(), kAllSteps.end(),
                     [&](StepName before) { return before >= step || settled_[before]; });
}

bool Carried::are_cut_after(StepName step) const {
  for (const StepName later : kAllSteps) {
    if (later <= step) continue;
    for (const Finding& cell : cells_[later]) {
      if (!cell.agrees && !cut_instead_of_rounded(cell.ours, cell.printed)) return false;
    }
  }
  return true;
}

bool Carried::shows_in_weights(const Slip& slip, double unseen) const {
  Recipe changed = recipe_;
  slip.plant(changed);
  Steps right = steps_[0], wrong = steps_[0];
  for (const StepName step : kAllSteps) {
    if (step < slip.step || step > StepName::weights) continue;
    right[step] = recipe_[step](right);
    wrong[step] = changed[step](wrong);
  }
  const Tensor& weights = wrong[StepName::weights];
  if (is_printed(StepName::weights)) {
    const std::vector<Finding>& cells = cells_[StepName::weights];
    return std::any_of(cells.begin(), cells.end(), [&weights](const Finding& cell) {
      return !cell.agrees && foveal::trace::agrees(weights.at(cell.cell), cell.printed);
    });
  }
  const std::vector<double> a = right[StepName::weights].to_vector(), b = weights.to_vector();
  return !std::equal(a.begin(), a.end(), b.begin(),
                     [unseen](double x, double y) { return std::abs(x - y) <= unseen; });
}

void Carried::plant(const Slip& slip) {
  slip.plant(recipe_);
  for (const StepName step : kAllSteps) {
    if (step >= slip.step && settled_[step]) settle(step);
  }
}

bool Carried::holds_every_digit(StepName step) const {
  const Step* right = find_step(record_, step);
  if (right->data.dtype() != DType::float64) return true;
  return fits_decimals(right->data, cells_[step].front().printed.decimals);
}

void Carried::settle(StepName step) {
  settled_[step] = true;
  raw_[step] = next(step, Reading::exact);
  ranges_[step] = range(step);
  if (!raw_[step].defined()) return;
  const Tensor by_hand = next(step, Reading::printed);
  put(step, {raw_[step], by_hand}, &steps_);
  if (!cells_[step].empty()) settle_range(step, by_hand);
}

void Carried::settle_range(StepName step, const Tensor& by_hand) {
  const bool every_digit = holds_every_digit(step);
  Range& range = ranges_[step];
  if (raw_[step].dtype() != DType::float64) {
    range = {steps(Reading::printed)[step], {}};
    return;
  }
  range.centre = range.centre.clone();
  range.radius = range.radius.defined() ? range.radius.clone()
                                        : Tensor::zeros(range.centre.shape(), DType::float64);
  for (const Finding& cell : cells_[step]) {
    const bool known = cell.agrees || cell.meant ||
                       agrees(raw_[step].at(cell.cell), cell.printed) ||
                       agrees(by_hand.at(cell.cell), cell.printed);
    // A wrong whole number among whole numbers has no digits that aren't printed.
    const bool exact = every_digit && (known || cell.printed.decimals == 0);
    const Interval interval = exact ? Interval{cell.printed.value, 0} : interval_of(cell.printed);
    range.centre.set(cell.cell, interval.centre);
    range.radius.set(cell.cell, interval.radius);
    exact_ = exact_ && (known || exact);
  }
}

}  // namespace foveal::trace
