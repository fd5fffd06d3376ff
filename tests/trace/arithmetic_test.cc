// The written arithmetic is evaluated by a small calculator, which knows nothing of attention.

#include "trace/run/arithmetic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "foveal/error.h"
#include "trace/generated.h"

namespace foveal::trace {
namespace {

/// + · / √ e^ (…) and numbers, "−∞" among them; spaces are free. "… (34 more, together 2.5)"
/// is 2.5.
class Calculator {
 public:
  explicit Calculator(std::string text) : text_(std::move(text)) {
    for (const auto& [from, to] : {std::pair<std::string, std::string>{"·", "*"},
                                   {"√", "v"},
                                   {"−∞", "-inf"},
                                   {"−", "-"},
                                   {"NaN", "nan"}}) {
      for (std::size_t at = 0; (at = text_.find(from)) != std::string::npos;) {
        text_.replace(at, from.size(), to);
      }
    }
    constexpr const char* kRest = "… (";
    for (std::size_t at = 0; (at = text_.find(kRest)) != std::string::npos;) {
      const std::size_t sum = text_.find("together ", at) + std::string("together ").size();
      const std::size_t end = text_.find(')', sum);
      text_ = text_.substr(0, at) + text_.substr(sum, end - sum) + text_.substr(end + 1);
    }
    text_.erase(std::remove(text_.begin(), text_.end(), ' '), text_.end());
  }

  double value() {
    const double result = sum();
    EXPECT_EQ(at_, text_.size()) << "left over: " << text_.substr(at_);
    return result;
  }

 private:
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  double sum() {
    double value = product();
    for (;;) {
      if (take('+')) {
        value += product();
      } else if (take('-')) {
        value -= product();
      } else {
        return value;
      }
    }
  }
  double product() {
    double value = factor();
    for (;;) {
      if (take('*')) {
        value *= factor();
      } else if (take('/')) {
        value /= factor();
      } else {
        return value;
      }
    }
  }
  double factor() {
    if (take('(')) {
      const double value = sum();
      EXPECT_TRUE(take(')'));
      return value;
    }
    if (take('v')) return std::sqrt(factor());
    if (text_.compare(at_, 2, "e^") == 0) {
      at_ += 2;
      return std::exp(factor());
    }
    char* end = nullptr;
    const double value = std::strtod(text_.c_str() + at_, &end);
    EXPECT_NE(end, text_.c_str() + at_) << text_.substr(at_);
    at_ = static_cast<std::size_t>(end - text_.c_str());
    return value;
  }

  std::string text_;
  std::size_t at_ = 0;
};

struct Equation {
  std::string left, sign, right;
};

/// Split at the last sign; the sign is empty where there is none.
Equation split(const std::string& numbers) {
  const std::size_t equal = numbers.rfind(" = "), about = numbers.rfind(" ≈ ");
  if (about != std::string::npos && (equal == std::string::npos || about > equal)) {
    return {numbers.substr(0, about), "≈", numbers.substr(about + std::string(" ≈ ").size())};
  }
  if (equal == std::string::npos) return {"", "", numbers};
  return {numbers.substr(0, equal), "=", numbers.substr(equal + 3)};
}

/// Every cell of the record, with its arithmetic.
template <class Visit>
void for_each_cell(const Record& record, const Visit& visit, Terms terms = Terms::largest) {
  for (const Step& step : record.steps) {
    const std::vector<double> numbers = step.data.to_vector();
    const Shape& shape = step.data.shape();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      std::vector<std::int64_t> cell(shape.size());
      auto rest = static_cast<std::int64_t>(i);
      for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) {
        cell[axis] = rest % shape[axis];
      }
      visit(step, cell, numbers[i], arithmetic(record, step.name, cell, terms));
    }
  }
}

bool is_in_words(StepName step) {
  return step == StepName::mask || step == StepName::masked_scores ||
         step == StepName::dropout_mask;
}

/// How many cells have which sign.
struct Signs {
  int equal = 0, about = 0;
};

void expect_honest_signs(const Record& record, Terms terms, Signs* signs) {
  const auto look = [&](const Step& step, const auto&, double value, const Arithmetic& how) {
    if (is_in_words(step.name)) return;
    SCOPED_TRACE(how.letters + " | " + how.numbers);
    const Equation equation = split(how.numbers);
    EXPECT_EQ(equation.right, show(value, step.digits));
    if (equation.sign.empty() || std::isnan(value)) return;
    const double redone = Calculator(equation.left).value();
    // Within a hair of a tie between two roundings either sign is right.
    const double unit = std::pow(10, -step.digits.decimals);
    const double from_tie = std::abs(std::abs(redone / unit - std::trunc(redone / unit)) - 0.5);
    if (from_tie < 1e-6) return;
    const bool same = show(redone, step.digits) == equation.right;
    EXPECT_EQ(equation.sign, same ? "=" : "≈") << redone;
    ++(same ? signs->equal : signs->about);
  };
  for_each_cell(record, look, terms);
}

TEST(Arithmetic, EndsWithTheNumberAndAnHonestSign) {
  for (const Terms terms : {Terms::largest, Terms::all}) {
    Signs signs;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      const Record record = run(parse_input(generated_input(seed).dump(), "generated"));
      expect_honest_signs(record, terms, &signs);
      if (HasFailure()) break;
    }
    EXPECT_GT(signs.equal, 1000);
    EXPECT_GT(signs.about, 100);
  }
}

TEST(Arithmetic, IsHonestWhereScoresAreLarge) {
  for (const double scale : {-30.0, 25.0, 400.0}) {
    Signs signs;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      nlohmann::json input = generated_input(seed);
      input["scale"] = scale;
      expect_honest_signs(run(parse_input(input.dump(), "generated")), Terms::largest, &signs);
      if (HasFailure()) break;
    }
    EXPECT_GT(signs.equal, 300);
  }
}

TEST(Arithmetic, NamesTheCellsThatACellIsMadeFrom) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Record record = run(parse_input(generated_input(seed).dump(), "generated"));
    for_each_cell(record, [&](const Step& step, const auto&, double value, const Arithmetic& how) {
      SCOPED_TRACE(how.letters);
      std::vector<double> numbers;
      for (const Source& source : how.sources) {
        const auto named = step_named(source.matrix);
        const Step* from = named ? find_step(record, *named) : nullptr;
        const Input& input = record.input;
        const Tensor data = from != nullptr              ? from->data
                            : source.matrix == "W_query" ? input.W_query
                            : source.matrix == "W_key"   ? input.W_key
                            : source.matrix == "W_value" ? input.W_value
                            : source.matrix == "b_query" ? input.b_query
                            : source.matrix == "b_key"   ? input.b_key
                            : source.matrix == "b_value" ? input.b_value
                            : source.matrix == "W_out"   ? input.W_out
                                                         : input.b_out;
        numbers.push_back(data.at(source.cell));  // throws where the cell isn't there
      }
      if (step.name == StepName::queries || step.name == StepName::keys ||
          step.name == StepName::values || step.name == StepName::scores ||
          step.name == StepName::context || step.name == StepName::output) {
        // Pairs of factors, then perhaps a bias; the inputs themselves where there is no W.
        double sum = numbers.size() == 1 ? numbers[0] : 0;
        for (std::size_t i = 0; i + 1 < numbers.size(); i += 2) sum += numbers[i] * numbers[i + 1];
        if (numbers.size() > 1 && numbers.size() % 2 == 1) sum += numbers.back();
        if (std::isnan(value)) return;
        EXPECT_NEAR(sum, value, 1e-12 * std::max(1.0, std::abs(value)));
      }
    });
    if (HasFailure()) break;
  }
}

TEST(Arithmetic, IsWrittenAsALearnerWrites) {
  const Record record = run(worked_example());
  EXPECT_EQ(arithmetic(record, StepName::scores, {0, 2}).letters,
            "scores[0,2] = Σ_d Q[0,d] · K[2,d]");
  EXPECT_EQ(arithmetic(record, StepName::scores, {0, 2}).numbers, "2·1 + 1·1 = 3");
  EXPECT_EQ(arithmetic(record, StepName::weights, {0, 2}).numbers,
            "e^3 / (e^4 + e^5 + e^3) = 0.0900");
  EXPECT_EQ(arithmetic(record, StepName::context, {0, 0}).numbers,
            "0.2447·2 + 0.6652·1 + 0.0900·1 ≈ 1.2447");
  EXPECT_EQ(arithmetic(record, StepName::inputs, {0, 1}).numbers, "0");
}

TEST(Arithmetic, WritesHeadsMasksAndDropout) {
  const Record record = run(parse_input(
      R"({"inputs": [[1, 2], [3, -4]], "num_heads": 2, "scale": -2, "mask": "causal",
          "dropout": {"p": 0.5, "seed": 123}})",
      "f"));
  EXPECT_EQ(arithmetic(record, StepName::queries, {1, 1, 0}).letters, "queries[1,1,0] = X[1,1]");
  EXPECT_EQ(arithmetic(record, StepName::scores, {1, 0, 1}).letters,
            "scores[1,0,1] = Σ_d Q[1,0,d] · K[1,1,d]");
  EXPECT_EQ(arithmetic(record, StepName::scores, {1, 0, 1}).numbers, "2·(-4) = -8");
  EXPECT_EQ(arithmetic(record, StepName::scaled_scores, {1, 0, 1}).numbers, "-8 · (-2) = 16");
  EXPECT_EQ(arithmetic(record, StepName::mask, {0, 1}).numbers, "1 ≤ 0 is false");
  EXPECT_EQ(arithmetic(record, StepName::masked_scores, {0, 0, 1}).numbers, "mask is false, so −∞");
  EXPECT_EQ(arithmetic(record, StepName::weights, {0, 0, 1}).numbers,
            "e^(−∞) / (e^(-2) + e^(−∞)) = 0.0000");
  EXPECT_EQ(arithmetic(record, StepName::context, {0, 1}).letters,
            "context[0,1] = Σ_j dropped_weights[1,0,j] · V[1,j,0]");
}

TEST(Arithmetic, KeepsTheLargestTermsOfALongSum) {
  const Record record = run(parse_input(
      R"({"inputs": [[1, 20, 3, -4, 5, 19, 0.5, 8, -9, 10, 11, 12, 0, 0, 0, 0, 0, 0, 0, 2]]})",
      "f"));
  const Arithmetic how = arithmetic(record, StepName::scores, {0, 0});
  EXPECT_EQ(how.numbers,
            "20·20 + 19·19 + (-9)·(-9) + 10·10 + 11·11 + 12·12 + … (14 more, together 119.2500) = "
            "1326.2500");
  EXPECT_EQ(how.sources.size(), 40U);
  EXPECT_EQ(
      arithmetic(record, StepName::scores, {0, 0}, Terms::all).numbers,
      "1·1 + 20·20 + 3·3 + (-4)·(-4) + 5·5 + 19·19 + 0.5·0.5 + 8·8 + (-9)·(-9) + 10·10 + 11·11 + "
      "12·12 + 0·0 + 0·0 + 0·0 + 0·0 + 0·0 + 0·0 + 0·0 + 2·2 = 1326.2500");
}

TEST(Arithmetic, LeavesOutWhatIsMaskedOfALongSum) {
  std::string rows = "[1]";
  for (int i = 1; i < 12; ++i) rows += ",[1]";
  const Record record = run(parse_input(R"({"mask": "causal", "inputs": [)" + rows + "]}", "f"), 1);
  EXPECT_EQ(arithmetic(record, StepName::weights, {1, 0}).numbers,
            "e^1 / (e^1 + e^1 + … (10 more, together 0)) = 0.5000");
  EXPECT_EQ(arithmetic(record, StepName::context, {1, 0}).numbers,
            "0.5000·1 + 0.5000·1 + … (10 more, together 0) = 1.0000");
}

TEST(Arithmetic, TakesTheLargestOffBeforeEWhereScoresAreLarge) {
  const Record record = run(parse_input(R"({"inputs": [[5, 3], [-7, 1]]})", "f"));
  EXPECT_EQ(
      arithmetic(record, StepName::weights, {0, 1}).letters,
      "weights[0,1] = e^(scores[0,1] − m) / Σ_j e^(scores[0,j] − m) with m = max_j scores[0,j]: "
      "the same ratio, and nothing overflows");
  EXPECT_EQ(arithmetic(record, StepName::weights, {0, 1}).numbers,
            "e^(-32 − 34) / (e^(34 − 34) + e^(-32 − 34)) = 2.2e-29");
  // Not where the largest itself is moderate: what is far below it is as good as nothing.
  const Record moderate = run(parse_input(R"({"inputs": [[2, 4], [-30, 1]]})", "f"));
  EXPECT_EQ(arithmetic(moderate, StepName::weights, {0, 0}).numbers,
            "e^20 / (e^20 + e^(-56)) = 1.0000");
  const Record low = run(parse_input(R"({"inputs": [[5, 3], [-7, 1]], "scale": -1})", "f"));
  EXPECT_EQ(arithmetic(low, StepName::weights, {1, 1}).numbers,
            "e^(-50 − 32) / (e^(32 − 32) + e^(-50 − 32)) = 2.4e-36");
}

TEST(Arithmetic, SaysWhatIsThereForACellThatIsNot) {
  const Record record = run(worked_example());
  for (const auto& [step, cell] :
       {std::pair<StepName, std::vector<std::int64_t>>{StepName::scores, {0, 3}},
        {StepName::scores, {3, 0}},
        {StepName::scores, {-1, 0}},
        {StepName::scores, {0, 0, 0}},
        {StepName::scores, {0}},
        {StepName::mask, {0, 0}}}) {
    try {
      arithmetic(record, step, cell);
      ADD_FAILURE() << text(step);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_NE(std::string(error.what()).find(text(step)), std::string::npos);
    }
  }
}

TEST(ParseCell, ReadsStepAndPlace) {
  const Record record = run(worked_example());
  EXPECT_EQ(parse_cell(record, "weights[0,2]").step, StepName::weights);
  EXPECT_EQ(parse_cell(record, "weights[0,2]").at, (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(parse_cell(record, "keys[ 1, 20 ,3 ]").at, (std::vector<std::int64_t>{1, 20, 3}));
  for (const char* text :
       {"", "weights", "[0,1]", "w[0]", "w[0,1,2,3]", "w[0,1", "w[0,1]]", "w[,]", "w[0,]", "w[a,1]",
        "w[0 1]", "w[-1,0]", "w[0,1]x", "w[1.5,0]", "w[99999999999999999999,0]", "w[]"}) {
    try {
      parse_cell(record, text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << text;
    }
  }
}

TEST(ParseCell, TakesLettersAndTheBooksNames) {
  const Record record = run(worked_example());
  for (const auto& [text, step] : {std::pair("P[0,2]", StepName::weights),
                                   {"attn_weights[0,2]", StepName::weights},
                                   {"Q[0,1]", StepName::queries},
                                   {"S[0,1]", StepName::scores},
                                   {"attn_scores[0,1]", StepName::scores},
                                   {"O[0,1]", StepName::context},
                                   {"context_vec[0,1]", StepName::context},
                                   {"ω[0,1]", StepName::scores},
                                   {"α[0,1]", StepName::weights},
                                   {"z[0,1]", StepName::context},
                                   {"q[0,1]", StepName::queries},
                                   {"k[0,1]", StepName::keys},
                                   {"v[0,1]", StepName::values},
                                   {"x[0,1]", StepName::inputs},
                                   {"X[0,1]", StepName::inputs}}) {
    EXPECT_EQ(parse_cell(record, text).step, step) << text;
  }
}

TEST(ParseCell, NamesTheStepsThereAre) {
  const Record record = run(worked_example());
  for (const char* text : {"mask[0,0]", "W_query[0,0]", "w[0,0]"}) {
    try {
      parse_cell(record, text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << text;
      EXPECT_NE(std::string(error.what()).find("it has inputs, queries"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace foveal::trace
