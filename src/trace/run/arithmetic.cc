#include "trace/run/arithmetic.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/filled.h"
#include "foveal/error.h"
#include "trace/input/sizes.h"
#include "trace/run/terms.h"

namespace foveal::trace {
namespace {

using Index = std::vector<std::int64_t>;

/// "[0,2]"
std::string brackets(const Index& cell) { return filled("[{}]", joined_with(cell, ",")); }

double number_at(const Tensor& data, const Index& cell) {
  std::int64_t offset = 0;
  for (std::size_t axis = 0; axis < cell.size(); ++axis) {
    offset += cell[axis] * data.strides()[axis];
  }
  if (data.dtype() == DType::boolean) return data.data<bool>()[offset] ? 1 : 0;
  return data.data<double>()[offset];
}

/// A matrix that cells are taken from: a step or one of the input's W and b.
struct Matrix {
  std::string name;    ///< in sources: "queries", "W_query"
  std::string letter;  ///< in formulas: "Q", "W_query"
  const Tensor& data;
  Digits digits;

  Operand operator[](const Index& cell) const { return {number_at(data, cell), digits}; }
};

/// The asked cell, and the writing of its arithmetic.
class Explainer {
 public:
  Explainer(const Record& record, const Step& step, const Index& cell, Terms terms)
      : record_(record),
        input_(record.input),
        step_(step),
        cell_(cell),
        terms_(terms),
        sizes_(sizes_of(input_)) {}

  Arithmetic explain() {
    switch (step_.name) {
      case StepName::inputs:
        return given("X");
      case StepName::queries:
        return projected("query", input_.W_query, input_.b_query, sizes_.D);
      case StepName::keys:
        return projected("key", input_.W_key, input_.b_key, sizes_.D);
      case StepName::values:
        return projected("value", input_.W_value, input_.b_value, sizes_.D_v);
      case StepName::scores:
        return score();
      case StepName::scaled_scores:
        return scaled_score();
      case StepName::mask:
        return mask();
      case StepName::masked_scores:
        return masked_score();
      case StepName::weights:
        return weight();
      case StepName::dropout_mask:
        return drawn();
      case StepName::dropped_weights:
        return dropped_weight();
      case StepName::context:
        return context();
      case StepName::output:
        break;
    }
    return output();
  }

 private:
  std::int64_t row() const { return cell_[cell_.size() - 2]; }
  std::int64_t column() const { return cell_.back(); }
  /// The same cell's place with other last indices: the head stays in front.
  Index here(std::int64_t i, std::int64_t j) const {
    Index cell = cell_;
    cell[cell.size() - 2] = i;
    cell.back() = j;
    return cell;
  }
  std::string left() const { return text(step_.name) + brackets(cell_) + " = "; }
  Operand result() const { return {number_at(step_.data, cell_), step_.digits}; }

  Matrix step(StepName name, const std::string& letter = "") const {
    const Step* found = find_step(record_, name);
    return {text(name), letter.empty() ? text(name) : letter, found->data, found->digits};
  }
  Matrix parameter(const std::string& name, const Tensor& data) const {
    return {name, name, data, digits_of_given(data)};
  }
  bool has(StepName name) const { return find_step(record_, name) != nullptr; }

  void from(const Matrix& matrix, const Index& cell) {
    out_.sources.push_back({matrix.name, cell});
  }

  Arithmetic finish(const std::string& letters, const std::string& numbers) {
    out_.letters = left() + letters;
    out_.numbers = numbers;
    return std::move(out_);
  }
  Arithmetic finish(const std::string& letters, const std::string& text, double redone) {
    return finish(letters, equation(text, redone, result()));
  }
  Arithmetic finish(const std::string& letters, const Sum& sum) {
    const Sum::Written written = sum.write(terms_);
    return finish(letters, written.text, written.redone);
  }

  Arithmetic given(const std::string& letter) {
    return finish(letter + brackets(cell_) + ", given", show(result()));
  }

  /// Σ_k x[row,k] · W[k,c] (+ b[c]); each row of x and each column of W.
  Arithmetic projection(const Matrix& x, const Matrix& weight, std::int64_t c, const Tensor& bias,
                        const std::string& bias_name) {
    const std::int64_t length = weight.data.size(0);
    Sum sum;
    for (std::int64_t k = 0; k < length; ++k) {
      sum.product(x[{row(), k}], weight[{k, c}]);
      from(x, {row(), k});
      from(weight, {k, c});
    }
    std::string letters = filled("Σ_k {}[{},k] · {}[k,{}]", x.letter, row(), weight.name, c);
    if (bias.defined()) {
      const Matrix b = parameter(bias_name, bias);
      sum.number(b[{c}]);
      from(b, {c});
      letters += filled(" + {}[{}]", bias_name, c);
    }
    return finish(letters, sum);
  }

  Arithmetic projected(const std::string& name, const Tensor& weight, const Tensor& bias,
                       std::int64_t width) {
    const std::int64_t head = cell_.size() == 3 ? cell_[0] : 0;
    const std::int64_t c = head * width + column();
    const Matrix x = step(StepName::inputs, "X");
    if (weight.defined()) {
      return projection(x, parameter("W_" + name, weight), c, bias, "b_" + name);
    }
    from(x, {row(), c});
    return finish(filled("X{}", brackets({row(), c})), show(result()));
  }

  Arithmetic score() {
    const Matrix q = step(StepName::queries, "Q"), k = step(StepName::keys, "K");
    Sum sum;
    for (std::int64_t d = 0; d < sizes_.D; ++d) {
      sum.product(q[here(row(), d)], k[here(column(), d)]);
      from(q, here(row(), d));
      from(k, here(column(), d));
    }
    return finish(filled("Σ_d Q{} · K{}", any_column(row(), "d"), any_column(column(), "d")), sum);
  }

  /// "[0,d]", or "[h,0,d]" with the head.
  std::string any_column(std::int64_t i, const std::string& letter) const {
    const std::string head = cell_.size() == 3 ? filled("{},", cell_[0]) : "";
    return filled("[{}{},{}]", head, i, letter);
  }

  Arithmetic scaled_score() {
    const Matrix scores = step(StepName::scores);
    from(scores, cell_);
    const Operand score = scores[cell_];
    const std::string letters = filled("scores{}", brackets(cell_));
    const std::string shown = show(score);
    const Scale& scale = input_.settings.scale;
    if (scale.kind == Scale::Kind::factor) {
      const std::string digits = filled("{}", scale.factor);
      const std::string factor = scale.factor < 0 ? filled("({})", digits) : digits;
      return finish(letters + " · " + factor, shown + " · " + factor,
                    as_shown(score) * scale.factor);
    }
    return finish(letters + " / √D", filled("{} / √{}", shown, sizes_.D),
                  as_shown(score) * scale_factor(input_));
  }

  Arithmetic mask() {
    const bool visible = result().value != 0;
    const std::string truth = visible ? "true" : "false";
    const std::string& mask = input_.settings.mask;
    if (mask == "rows") return finish("given", truth + ", given");
    if (mask != "causal") {
      const std::string text = mask.size() <= kLongestMask ? mask : "the mask's expression";
      return finish(filled("{} with i = {}, j = {}", text, row(), column()), truth);
    }
    return finish(filled("(j ≤ i) with i = {}, j = {}", row(), column()),
                  filled("{} ≤ {} is {}", column(), row(), truth));
  }

  Arithmetic masked_score() {
    const Matrix scores =
        step(has(StepName::scaled_scores) ? StepName::scaled_scores : StepName::scores);
    const Matrix mask = step(StepName::mask);
    const Index place = {row(), column()};
    from(scores, cell_);
    from(mask, place);
    const bool visible = mask[place].value != 0;
    const Operand score = scores[cell_];
    return finish(filled("{0}{1} where mask{2} is true, else −∞", scores.name, brackets(cell_),
                         brackets(place)),
                  visible ? "mask is true, so " + show(score) : "mask is false, so −∞");
  }

  Matrix softmax_input() const {
    for (const StepName name : {StepName::masked_scores, StepName::scaled_scores}) {
      if (has(name)) return step(name);
    }
    return step(StepName::scores);
  }

  /// The largest score of the row.
  Operand largest(const Matrix& scores) const {
    Operand highest{-std::numeric_limits<double>::infinity(), scores.digits};
    for (std::int64_t j = 0; j < sizes_.L; ++j) {
      highest.value = std::max(highest.value, scores[here(row(), j)].value);
    }
    return highest;
  }

  /// e^s of a large score is a number that nobody can place, and beyond 709 it overflows: the
  /// largest is taken off first then, as programs do.
  Arithmetic weight() {
    constexpr double kLarge = 20;
    const Matrix scores = softmax_input();
    const Operand highest = largest(scores);
    const bool all_masked = highest.value == -std::numeric_limits<double>::infinity();
    std::optional<Operand> shift;
    if (std::abs(highest.value) > kLarge && !all_masked) shift = highest;
    Sum sum;
    for (std::int64_t j = 0; j < sizes_.L; ++j) {
      sum.power(scores[here(row(), j)], shift);
      from(scores, here(row(), j));
    }
    const Operand score = scores[cell_];
    const Sum::Written written = sum.write(terms_);
    std::string numbers = filled("{} / ({})", power_text(score, shift), written.text);
    if (all_masked) numbers += " = 0 / 0";
    return finish(weight_in_letters(scores.name, shift.has_value()), numbers,
                  power_value(score, shift) / written.redone);
  }

  std::string weight_in_letters(const std::string& scores, bool shifted) const {
    const std::string one = scores + brackets(cell_), any = scores + any_column(row(), "j");
    if (!shifted) return filled("e^{} / Σ_j e^{}", one, any);
    return filled(
        "e^({} − m) / Σ_j e^({} − m) with m = max_j {}: the same ratio, and nothing overflows", one,
        any, any);
  }

  Arithmetic drawn() {
    const std::int64_t head = cell_.size() == 3 ? cell_[0] : 0;
    const std::int64_t draw = (head * sizes_.L + row()) * sizes_.L + column();
    const DropoutSetting dropout = input_.settings.dropout.value_or(DropoutSetting{});
    const char* outcome = result().value != 0 ? "1, kept" : "0, dropped";
    if (dropout.p == 0 || dropout.p == 1) {
      return finish(filled("{}, since p = {}", result().value, dropout.p), outcome);
    }
    return finish("1 with probability 1 − p, else 0",
                  filled("number {} of the stream of seed {}, counted from 0: {}", draw,
                         dropout.seed, outcome));
  }

  Arithmetic dropped_weight() {
    const Matrix weights = step(StepName::weights), mask = step(StepName::dropout_mask);
    from(weights, cell_);
    from(mask, cell_);
    const Operand weight = weights[cell_], kept = mask[cell_];
    const double p = input_.settings.dropout.value_or(DropoutSetting{}).p;
    const std::string at = brackets(cell_);
    if (p == 1) {
      return finish("0, since p = 1 drops every weight", show(result()));
    }
    return finish(filled("weights{0} · dropout_mask{0} / (1 − p)", at),
                  filled("{}·{} / (1 − {})", show(weight), kept.value, p),
                  as_shown(weight) * kept.value / (1 - p));
  }

  /// Column c of the context belongs to head ⌊c / D_v⌋; each head has its own weights and values.
  Arithmetic context() {
    const bool by_head = sizes_.H > 1;
    const std::int64_t head = column() / sizes_.D_v, d = column() % sizes_.D_v;
    const auto of_head = [&](std::int64_t i, std::int64_t j) {
      return by_head ? Index{head, i, j} : Index{i, j};
    };
    const Matrix weights =
        step(has(StepName::dropped_weights) ? StepName::dropped_weights : StepName::weights);
    const Matrix values = step(StepName::values, "V");
    Sum sum;
    for (std::int64_t j = 0; j < sizes_.L; ++j) {
      sum.product(weights[of_head(row(), j)], values[of_head(j, d)]);
      from(weights, of_head(row(), j));
      from(values, of_head(j, d));
    }
    const std::string h = by_head ? filled("{},", head) : "";
    return finish(filled("Σ_j {0}[{1}{2},j] · V[{1}j,{3}]", weights.name, h, row(), d), sum);
  }

  Arithmetic output() {
    return projection(step(StepName::context), parameter("W_out", input_.W_out), column(),
                      input_.b_out, "b_out");
  }

  const Record& record_;
  const Input& input_;
  const Step& step_;
  const Index& cell_;
  Terms terms_;
  Sizes sizes_;
  Arithmetic out_;
};

void require_cell(const Step& step, const Index& cell) {
  const Shape& shape = step.data.shape();
  bool fits = cell.size() == shape.size();
  for (std::size_t axis = 0; fits && axis < cell.size(); ++axis) {
    fits = cell[axis] >= 0 && cell[axis] < shape[axis];
  }
  if (fits) return;
  throw Error(filled("cell {}{} is not there: {} has axes ({}) of sizes {}, counted from 0",
                     text(step.name), brackets(cell), text(step.name), joined_with(step.axes, ", "),
                     to_string(shape)));
}

/// Throws Error where there is none; `name` is what was asked for.
const Step& step_in(const Record& record, std::optional<StepName> step, const std::string& name) {
  if (step) {
    if (const Step* found = find_step(record, *step)) return *found;
  }
  std::string names;
  for (const Step& s : record.steps) names += (names.empty() ? "" : ", ") + text(s.name);
  throw Error("step '" + name + "' is not in this trace; it has " + names);
}

}  // namespace

Arithmetic arithmetic(const Record& record, StepName step, const Index& cell, Terms terms) {
  const Step& found = step_in(record, step, text(step));
  require_cell(found, cell);
  return Explainer(record, found, cell, terms).explain();
}

StepCell parse_cell(const Record& record, const std::string& written) {
  const auto fail = [&] {
    throw Error("cell '" + written +
                    "' doesn't parse: write STEP[row,column] or "
                    "STEP[head,row,column], counted from 0: weights[0,2]",
                ErrorKind::usage);
  };
  const std::size_t open = written.find('[');
  if (open == std::string::npos || open == 0 || written.back() != ']') fail();
  Index cell;
  const char* at = written.data() + open;
  const char* const last = written.data() + written.size() - 1;
  while (at != last) {
    // `at` is at the bracket or a comma; a number and then a comma or the last bracket follow.
    for (++at; at != last && *at == ' ';) ++at;
    std::int64_t index = 0;
    const auto result = std::from_chars(at, last, index);
    if (result.ec != std::errc() || index < 0) fail();
    cell.push_back(index);
    for (at = result.ptr; at != last && *at == ' ';) ++at;
    if (at != last && *at != ',') fail();
  }
  if (cell.size() < 2 || cell.size() > 3) fail();
  const std::string name = written.substr(0, open);
  return {step_in(record, step_named(name), name).name, cell};
}

}  // namespace foveal::trace
