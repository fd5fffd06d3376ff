// The numbers of a record against plain loops over the same document.

#include "trace/run/record.h"

#include <gtest/gtest.h>

#include <limits>

#include "foveal/error.h"
#include "foveal/random.h"
#include "trace/generated.h"
#include "trace/run/arithmetic.h"

namespace foveal::trace {
namespace {

using nlohmann::json;

Rows project(const json& input, const Rows& x, const std::string& name) {
  if (!input.contains("W_" + name)) return x;
  const Rows weight = input["W_" + name];
  Rows result(x.size(), std::vector<double>(weight[0].size(), 0));
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t c = 0; c < weight[0].size(); ++c) {
      for (std::size_t k = 0; k < weight.size(); ++k) result[i][c] += x[i][k] * weight[k][c];
      if (input.contains("b_" + name)) result[i][c] += input["b_" + name][c].get<double>();
    }
  }
  return result;
}

Rows columns_of(const Rows& wide, std::size_t first, std::size_t count) {
  Rows result;
  for (const auto& row : wide) {
    result.emplace_back(row.begin() + static_cast<std::ptrdiff_t>(first),
                        row.begin() + static_cast<std::ptrdiff_t>(first + count));
  }
  return result;
}

/// One number of every step for one head, computed anew.
class Oracle {
 public:
  explicit Oracle(const json& input) : input_(input), inputs_(input["inputs"]) {
    heads_ = input["num_heads"];
    wide_ = {project(input, inputs_, "query"), project(input, inputs_, "key"),
             project(input, inputs_, "value")};
  }

  void compare(const Record& record) {
    const std::size_t length = inputs_.size();
    const std::size_t size = wide_[0][0].size() / heads_, value_size = wide_[2][0].size() / heads_;
    Rows context(length, std::vector<double>(wide_[2][0].size()));
    for (std::size_t h = 0; h < heads_; ++h) {
      const Rows q = columns_of(wide_[0], h * size, size), k = columns_of(wide_[1], h * size, size);
      const Rows v = columns_of(wide_[2], h * value_size, value_size);
      expect(record, "queries", h, q);
      expect(record, "keys", h, k);
      expect(record, "values", h, v);
      const Rows weights = attend(record, h, q, k);
      for (std::size_t i = 0; i < length; ++i) {
        for (std::size_t c = 0; c < value_size; ++c) {
          double sum = 0;
          for (std::size_t j = 0; j < length; ++j) sum += weights[i][j] * v[j][c];
          context[i][h * value_size + c] = sum;
        }
      }
    }
    expect(record, "context", 0, context);
    if (input_.contains("W_out")) expect(record, "output", 0, project(input_, context, "out"));
  }

 private:
  Rows attend(const Record& record, std::size_t h, const Rows& q, const Rows& k) {
    const std::size_t length = q.size();
    Rows scores(length, std::vector<double>(length, 0)), scaled = scores, masked = scores;
    for (std::size_t i = 0; i < length; ++i) {
      for (std::size_t j = 0; j < length; ++j) {
        for (std::size_t d = 0; d < q[0].size(); ++d) scores[i][j] += q[i][d] * k[j][d];
        scaled[i][j] = scores[i][j] * scale(q[0].size());
        masked[i][j] = visible(i, j) ? scaled[i][j] : -std::numeric_limits<double>::infinity();
      }
    }
    expect(record, "scores", h, scores);
    expect(record, "scaled_scores", h, scaled);
    expect(record, "masked_scores", h, masked);
    Rows weights = masked;
    for (auto& row : weights) {
      double sum = 0;
      for (double& value : row) sum += value = std::exp(value);
      for (double& value : row) value /= sum;
    }
    expect(record, "weights", h, weights);
    if (!input_.contains("dropout")) return weights;
    const double p = input_["dropout"]["p"];
    Generator generator(input_["dropout"]["seed"].get<std::uint64_t>());
    const auto n = static_cast<std::int64_t>(length);
    const std::vector<double> kept =
        dropout_mask({static_cast<std::int64_t>(heads_), n, n}, p, generator).to_vector();
    for (std::size_t i = 0; i < length; ++i) {
      for (std::size_t j = 0; j < length; ++j) {
        const bool keep = kept[(h * length + i) * length + j] != 0;
        weights[i][j] = keep ? weights[i][j] / (1 - p) : weights[i][j] * 0;
      }
    }
    expect(record, "dropped_weights", h, weights);
    return weights;
  }

  double scale(std::size_t size) const {
    const json scale = input_.value("scale", json(input_.contains("W_query") ? "sqrt" : "none"));
    if (scale.is_number()) return scale;
    return scale == "none" ? 1 : 1 / std::sqrt(static_cast<double>(size));
  }

  bool visible(std::size_t i, std::size_t j) const {
    const json mask = input_.value("mask", json("none"));
    if (mask.is_array()) return mask[i][j];
    return mask == "none" || j <= i;
  }

  /// A step that the input leaves out is not compared; which steps are there is another test.
  void expect(const Record& record, const std::string& name, std::size_t head, const Rows& want) {
    const Step* step = find_step(record, *step_named(name));
    if (step == nullptr) return;
    const Tensor data =
        step->axes.front() == "head" ? step->data[static_cast<std::int64_t>(head)] : step->data;
    const std::vector<double> got = data.to_vector();
    std::size_t at = 0;
    for (const auto& row : want) {
      for (double value : row) {
        const double ours = got.at(at++);
        if (std::isfinite(value)) {
          EXPECT_NEAR(ours, value, 1e-12 * std::max(1.0, std::abs(value))) << name;
        } else {
          EXPECT_TRUE(std::isnan(value) ? std::isnan(ours) : ours == value) << name << ": " << ours;
        }
      }
    }
    EXPECT_EQ(at, got.size()) << name;
  }

  const json& input_;
  Rows inputs_;
  std::size_t heads_ = 1;
  std::vector<Rows> wide_;
};

TEST(Run, AgreesWithPlainLoopsOnGeneratedInputs) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    const json input = generated_input(seed);
    Oracle(input).compare(run(parse_input(input.dump(), "generated")));
    if (HasFailure()) break;
  }
}

TEST(Run, HasTheStepsThatTheInputAsksForInOrder) {
  const std::vector<std::string> order = {
      "inputs",          "queries", "keys",          "values",  "scores",
      "scaled_scores",   "mask",    "masked_scores", "weights", "dropout_mask",
      "dropped_weights", "context", "output"};
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const json input = generated_input(seed);
    const Input parsed = parse_input(input.dump(), "generated");
    const Record record = run(parsed);
    std::vector<std::string> want;
    for (const std::string& name : order) {
      const bool masked = parsed.settings.mask != "none";
      if (name == "scaled_scores" && parsed.settings.scale.kind == Scale::Kind::none) continue;
      if ((name == "mask" || name == "masked_scores") && !masked) continue;
      if (name.rfind("drop", 0) == 0 && !input.contains("dropout")) continue;
      if (name == "output" && !input.contains("W_out")) continue;
      want.push_back(name);
    }
    std::vector<std::string> got;
    for (const Step& step : record.steps) {
      got.push_back(text(step.name));
      EXPECT_EQ(step.axes.size(), step.data.shape().size());
      EXPECT_FALSE(step.title.empty() || step.formula.empty());
      EXPECT_EQ(step.data.dtype(), step.name == StepName::mask ? DType::boolean : DType::float64);
    }
    EXPECT_EQ(got, want);
  }
}

TEST(Run, GivesTheWorkedExample) {
  const Record record = run(worked_example());
  EXPECT_EQ(find_step(record, StepName::scores)->data.to_vector(),
            (std::vector<double>{4, 5, 3, 5, 4, 3, 3, 3, 2}));
  EXPECT_NEAR(find_step(record, StepName::context)->data.at({0, 0}), 1.2447284710547977, 1e-15);
  EXPECT_EQ(find_step(record, StepName::scaled_scores), nullptr);
}

TEST(Run, SaysWhyAFullyMaskedRowIsNaN) {
  const Record record =
      run(parse_input(R"({"inputs": [[1], [2]], "mask": [[true, false], [false, false]]})", "f"));
  const Step* weights = find_step(record, StepName::weights);
  EXPECT_TRUE(std::isnan(weights->data.at({1, 0})));
  EXPECT_NE(weights->note.find("Row 1 is NaN"), std::string::npos);
  EXPECT_NE(find_step(record, StepName::context)->note.find("NaN"), std::string::npos);
}

TEST(Run, FollowsTheLastRowUnderACausalMaskElseTheFirst) {
  const auto followed = [](const std::string& mask) {
    return run(parse_input(R"({"inputs": [[1], [2], [3]])" + mask + "}", "f")).followed;
  };
  EXPECT_EQ(followed(""), 0);
  EXPECT_EQ(followed(R"(, "mask": "none")"), 0);
  for (const char* causal :
       {"\"causal\"", "\"causal()\"", "\"causal(top_left)\"", "\"causal() & window(-1, 0)\"",
        "[[true, false, false], [true, true, false], [true, true, true]]"}) {
    EXPECT_EQ(followed(std::string(R"(, "mask": )") + causal), 2) << causal;
  }
  for (const char* other :
       {"\"window(0, 0)\"", "[[true, false, false], [true, true, false], [true, false, true]]",
        "[[true, true, false], [true, true, false], [true, true, true]]"}) {
    EXPECT_EQ(followed(std::string(R"(, "mask": )") + other), 0) << other;
  }
  EXPECT_EQ(run(parse_input(R"({"inputs": [[1], [2]], "mask": "causal"})", "f"), 0).followed, 0);
}

TEST(Run, RefusesAQueryThatIsNotThere) {
  EXPECT_THROW(run(worked_example(), 3), Error);
  EXPECT_THROW(run(worked_example(), -1), Error);
}

TEST(Run, RefusesATraceBeyondMemoryBeforeItAllocates) {
  Input input = worked_example();
  const std::int64_t length = std::int64_t{1} << 30;
  const double zero = 0;
  input.inputs = Tensor::from_blob(&zero, {length, 3}, {0, 0}, DType::float64);
  try {
    run(input);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find("1073741824 tokens"), std::string::npos);
  }
}

}  // namespace
}  // namespace foveal::trace
