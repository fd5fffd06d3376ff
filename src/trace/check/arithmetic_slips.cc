#include <algorithm>
#include <cmath>

#include "core/filled.h"
#include "core/number_text.h"
#include "trace/check/cell_slips.h"
#include "trace/input/decimal.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {
namespace {

/// A matrix that operands are taken from, with the names of its cells.
struct Operands {
  std::string name;
  Tensor data;  ///< (rows, columns)
};

/// A product of the sum that a cell is: left[row, k] · right[k, column], each by its own cell.
struct Term {
  CellIndex left, right;
};

/// The sum that a cell is.
struct Products {
  Operands left, right;
  std::vector<Term> terms;
};

Products projection(const Operands& x, const Operands& weight, std::int64_t row,
                    std::int64_t column) {
  Products sum{x, weight, {}};
  for (std::int64_t k = 0; k < weight.data.size(0); ++k)
    sum.terms.push_back({{row, k}, {k, column}});
  return sum;
}

/// The products of a cell of scores, context, output or a projection; none of other steps.
std::optional<Products> products_of(const Input& input, const Steps& before, StepName step,
                                    const CellIndex& cell) {
  const Sizes s = sizes_of(input);
  const Place at = place_of(cell);
  if (const auto one = projection_of(input, step)) {
    if (!one->weight.defined()) return std::nullopt;
    const std::int64_t width = step == StepName::values ? s.D_v : s.D;
    const bool output = step == StepName::output;
    return projection(
        output ? Operands{"O", before[StepName::context]} : Operands{"X", before[StepName::inputs]},
        {"W_" + one->name, one->weight}, at.row, at.head * width + at.column);
  }
  switch (step) {
    case StepName::scores: {
      Products sum{{"Q", of_head(before[StepName::queries], at.head)},
                   {"K", of_head(before[StepName::keys], at.head)},
                   {}};
      for (std::int64_t d = 0; d < s.D; ++d) sum.terms.push_back({{at.row, d}, {at.column, d}});
      return sum;
    }
    case StepName::context: {
      const std::int64_t head = at.column / s.D_v;
      Products sum{{"P", of_head(before[StepName::dropped_weights], head)},
                   {"V", of_head(before[StepName::values], head)},
                   {}};
      for (std::int64_t j = 0; j < s.L; ++j)
        sum.terms.push_back({{at.row, j}, {j, at.column % s.D_v}});
      return sum;
    }
    default:
      return std::nullopt;
  }
}

/// What an operand may have been read as: a number beside it, or itself with two digits swapped.
struct MaybeRead {
  double value = 0;
  std::string text;
};

std::string short_number(double value) {
  std::string text = number_text(value, 4, std::chars_format::fixed);
  text.erase(text.find_last_not_of('0') + 1);
  if (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

std::vector<MaybeRead> readings(const Operands& from, const CellIndex& cell) {
  std::vector<MaybeRead> all;
  const double right = from.data.at(cell);
  for (const auto& [row, column] : {std::pair(0, 1), {0, -1}, {1, 0}, {-1, 0}}) {
    const CellIndex other = {cell[0] + row, cell[1] + column};
    const bool inside = other[0] >= 0 && other[1] >= 0 && other[0] < from.data.size(0) &&
                        other[1] < from.data.size(1);
    if (!inside) continue;
    const double value = from.data.at(other);
    if (value == right || !std::isfinite(value)) continue;
    all.push_back({value, filled("misread: {0}[{1},{2}] = {3} was taken for {0}[{4},{5}] = {6}",
                                 from.name, other[0], other[1], short_number(value), cell[0],
                                 cell[1], short_number(right))});
  }
  for (const std::string& digits : swapped_digits(short_number(right))) {
    all.push_back({number_in(digits).value_or(right),
                   filled("misread: {}[{},{}] = {} was read as {}", from.name, cell[0], cell[1],
                          short_number(right), digits)});
  }
  return all;
}

class Alternatives {
 public:
  explicit Alternatives(double right) : right_(right) {}

  void sum(const Products& sum) {
    for (const Term& term : sum.terms) {
      add("term_lost", "a term is lost: " + words(sum, term), right_ - product(sum, term));
    }
    for (const Term& term : sum.terms) {
      if (product(sum, term) >= 0) continue;
      add("sign_lost", filled("a sign is lost: {} is negative", words(sum, term)),
          right_ - 2 * product(sum, term));
    }
    for (const Term& term : sum.terms) {
      const double a = sum.left.data.at(term.left), b = sum.right.data.at(term.right);
      for (const auto& read : readings(sum.left, term.left)) {
        add("misread", read.text, right_ + (read.value - a) * b);
      }
      for (const auto& read : readings(sum.right, term.right)) {
        add("misread", read.text, right_ + (read.value - b) * a);
      }
    }
  }

  void add(const std::string& kind, const std::string& text, double value) {
    all_.push_back({kind, text, value});
  }
  std::vector<Alternative> take() { return std::move(all_); }

 private:
  static double product(const Products& sum, const Term& term) {
    return sum.left.data.at(term.left) * sum.right.data.at(term.right);
  }
  static std::string words(const Products& sum, const Term& term) {
    return filled("{}[{}] · {}[{}]", sum.left.name, joined_with(term.left, ","), sum.right.name,
                  joined_with(term.right, ","));
  }

  double right_;
  std::vector<Alternative> all_;
};

/// The cells beside one in its step, made for it: the wrong row of an operand.
void add_neighbours(const Input& input, const Tensor& data, StepName step, const CellIndex& cell,
                    Alternatives* alternatives) {
  for (const std::size_t axis : {cell.size() - 1, cell.size() - 2}) {
    for (const std::int64_t away : {1, -1}) {
      CellIndex other = cell;
      other[axis] += away;
      if (other[axis] < 0 || other[axis] >= data.shape()[axis]) continue;
      const double value = data.at(other);
      if (!std::isfinite(value)) continue;
      alternatives->add("misread",
                        filled("misread: {} was made for {}", cell_name(input, step, other),
                               cell_name(input, step, cell)),
                        value);
    }
  }
}

}  // namespace

std::vector<Alternative> alternatives_of(const Input& input, const Steps& before,
                                         const Tensor& data, StepName step, const CellIndex& cell) {
  if (is_given(step) || !std::isfinite(data.at(cell))) return {};
  Alternatives alternatives(data.at(cell));
  if (const auto sum = products_of(input, before, step, cell)) alternatives.sum(*sum);
  add_neighbours(input, data, step, cell, &alternatives);
  return alternatives.take();
}

}  // namespace foveal::trace
