#include "trace/views/views.h"

#include <gtest/gtest.h>

#include <bit>
#include <nlohmann/json.hpp>
#include <sstream>

#include "draw/terminal.h"
#include "trace/check/check.h"
#include "trace/generated.h"

namespace foveal::trace {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::vector<std::string> keys_of(const OrderedJson& object) {
  std::vector<std::string> keys;
  for (const auto& entry : object.items()) keys.push_back(entry.key());
  return keys;
}

void flatten(const OrderedJson& data, std::vector<double>* numbers) {
  if (data.is_array()) {
    for (const auto& entry : data) flatten(entry, numbers);
  } else if (data.is_string()) {
    numbers->push_back(data == "nan" ? std::nan("") : data == "-inf" ? -INFINITY : INFINITY);
  } else {
    numbers->push_back(data.is_boolean() ? data.get<bool>() : data.get<double>());
  }
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(JsonView, ReadsBackToTheSameBitsInTheAgreedOrder) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Record record = run(parse_input(generated_input(seed).dump(), "generated"));
    const std::string text = json_view(record);
    EXPECT_EQ(json_view(record), text);
    const OrderedJson trace = OrderedJson::parse(text);
    EXPECT_EQ(keys_of(trace),
              (std::vector<std::string>{"schema", "tokens", "settings", "steps", "checks"}));
    EXPECT_EQ(keys_of(trace["settings"]),
              (std::vector<std::string>{"num_heads", "scale", "mask", "dropout"}));
    ASSERT_EQ(trace["steps"].size(), record.steps.size());
    for (std::size_t i = 0; i < record.steps.size(); ++i) {
      const OrderedJson& step = trace["steps"][i];
      EXPECT_EQ(keys_of(step),
                (std::vector<std::string>{"name", "title", "axes", "shape", "data", "note"}));
      EXPECT_EQ(step["shape"].get<Shape>(), record.steps[i].data.shape());
      EXPECT_EQ(step["axes"].size(), step["shape"].size());
      std::vector<double> numbers;
      flatten(step["data"], &numbers);
      const std::vector<double> ours = record.steps[i].data.to_vector();
      ASSERT_EQ(numbers.size(), ours.size());
      for (std::size_t k = 0; k < ours.size(); ++k) EXPECT_TRUE(same_bits(numbers[k], ours[k]));
    }
  }
}

TEST(JsonView, WritesSettingsAsTheInputHasThem) {
  const auto settings = [](const std::string& more) {
    const Record record = run(parse_input("{\"inputs\": [[1, 2]]" + more + "}", "f"));
    return OrderedJson::parse(json_view(record))["settings"].dump();
  };
  EXPECT_EQ(settings(""), R"({"num_heads":1,"scale":"none","mask":"none","dropout":null})");
  EXPECT_EQ(settings(R"(, "num_heads": 2, "scale": 0.25, "mask": [[true]],
                      "dropout": {"p": 0.5, "seed": 18446744073709551615})"),
            R"({"num_heads":2,"scale":0.25,"mask":"rows",)"
            R"("dropout":{"p":0.5,"seed":18446744073709551615}})");
  EXPECT_EQ(settings(R"(, "scale": "sqrt", "mask": "causal")"),
            R"({"num_heads":1,"scale":"sqrt","mask":"causal","dropout":null})");
}

TEST(JsonView, HoldsChecksAndCorrections) {
  Record record = run(worked_example());
  record.checks = check(record);
  record.corrected = corrected(record.input, 0);
  const OrderedJson trace = OrderedJson::parse(json_view(record));
  ASSERT_EQ(trace["checks"].size(), 16U);
  EXPECT_EQ(keys_of(trace["checks"][0]),
            (std::vector<std::string>{"step", "cell", "printed", "ours", "arithmetic", "slip",
                                      "slip_kind", "also_possible", "agrees"}));
  EXPECT_EQ(keys_of(trace).back(), "corrected");
  EXPECT_EQ(trace["corrected"][0]["name"], "unscaled");
  EXPECT_EQ(trace["corrected"][0]["scores"].dump(), "[4,5,3]");
  EXPECT_EQ(trace["corrected"][1]["name"], "scaled");
}

TEST(CsvView, HasOneLineANumber) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Record record = run(parse_input(generated_input(seed).dump(), "generated"));
    const std::vector<std::string> lines = lines_of(csv_view(record));
    EXPECT_EQ(lines.at(0), "step,head,row,column,value");
    std::size_t at = 1;
    for (const Step& step : record.steps) {
      for (double value : step.data.to_vector()) {
        const std::string& line = lines.at(at++);
        EXPECT_EQ(line.rfind(text(step.name) + ",", 0), 0U);
        EXPECT_EQ(count(line, ","), 4U);
        EXPECT_EQ(line[text(step.name).size() + 1] == ',', step.data.rank() == 2);
        EXPECT_TRUE(same_bits(std::stod(line.substr(line.rfind(',') + 1)), value)) << line;
      }
    }
    EXPECT_EQ(at, lines.size());
  }
}

TEST(TextView, FitsEightyColumns) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Record record = run(parse_input(generated_input(seed).dump(), "generated"));
    for (const std::string& line : lines_of(text_view(record))) {
      EXPECT_LE(draw::terminal::width(line), 80) << line;
      EXPECT_FALSE(!line.empty() && line.back() == ' ') << line << "|";
    }
  }
}

TEST(TextView, ShowsEveryStepItsFormulaAndTheFollowedRow) {
  const Record record = run(worked_example(), 1);
  const std::string text = text_view(record);
  for (const Step& step : record.steps) {
    EXPECT_EQ(count(text, "\n  " + step.formula + "\n  shape "), 1U) << step.title;
  }
  EXPECT_EQ(count(text, "→ 1 cat"), record.steps.size());
  EXPECT_EQ(count(text, "→ 0 The"), 0U);
  EXPECT_NE(text.find("W_key, shape (3, 2)"), std::string::npos);
  EXPECT_NE(text.find("scores[1,0] = Σ_d Q[1,d] · K[0,d]"), std::string::npos);
}

TEST(TextView, NamesWhatTheChapterCallsAStepOnceInItsHeading) {
  const std::string text = text_view(run(worked_example()));
  for (const char* heading :
       {" Inputs (the chapter's x)\n", " Queries (the chapter's q)\n", " Keys (the chapter's k)\n",
        " Values (the chapter's v)\n", " Scores (the chapter's ω, attn_scores)\n",
        " Weights (the chapter's α, attn_weights)\n",
        " Context (the chapter's z, context_vec)\n"}) {
    EXPECT_EQ(count(text, heading), 1U) << heading;
  }
  EXPECT_EQ(count(text, "attn_weights"), 1U);
}

TEST(TextView, SaysWhereToGoFromTheWorkedExample) {
  Record record = run(worked_example());
  EXPECT_EQ(text_view(record).find("worked example"), std::string::npos);
  record.corrected = corrected(record.input, 0);
  const std::vector<std::string> lines = lines_of(text_view(record));
  EXPECT_EQ(lines.at(1).rfind("The worked example as it was printed: a slip is in its numbers", 0),
            0U);
  EXPECT_EQ(lines.at(3), "  foveal explain examples/inputs/the_cat_sat_scaled.json");
}

TEST(TextView, SaysWhereAGivenMatrixIsRounded) {
  const Record record = run(parse_input(
      R"({"inputs": [[1]], "W_query": [[0.123456789012]], "W_key": [[0.25]], "W_value": [[1]]})",
      "f"));
  const std::string text = text_view(record);
  EXPECT_NE(text.find("W_query, shape (1, 1), shown with 4 decimals\n"), std::string::npos);
  EXPECT_NE(text.find("W_key, shape (1, 1)\n"), std::string::npos);
}

TEST(TextView, NumbersStandAtTheirPoints) {
  const std::string text =
      text_view(run(parse_input(R"({"inputs": [[0.5, -12], [1.25, 3]]})", "f")));
  EXPECT_NE(text.find("  → 0 x1    0.5   -12\n    1 x2    1.25    3\n"), std::string::npos) << text;
}

TEST(TextView, IsColouredOnlyWhenAsked) {
  const Record record = run(worked_example());
  EXPECT_EQ(text_view(record).find('\x1b'), std::string::npos);
  std::string coloured = text_view(record, 80, true);
  EXPECT_NE(coloured.find("\x1b[1;33m→ 0 The"), std::string::npos);
  for (std::size_t at = 0; (at = coloured.find('\x1b')) != std::string::npos;) {
    coloured.erase(at, coloured.find('m', at) - at + 1);
  }
  EXPECT_EQ(coloured, text_view(record));
}

TEST(TextView, MakesAnyTokenHarmless) {
  const Record record = run(parse_input(
      R"({"inputs": [[1], [2], [3], [4], [5]],
          "tokens": ["\u001b[31mred\n", "漢字漢字漢字漢字漢字", "👩‍🚀", "e\u0301\u202e", ""]})",
      "f"));
  const std::string text = text_view(record, 80, false);
  for (char c : text) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
  EXPECT_EQ(text.find("\u202e"), std::string::npos);
  for (const std::string& line : lines_of(text)) EXPECT_LE(draw::terminal::width(line), 80) << line;
}

TEST(TextView, SaysWhatItLeavesOut) {
  nlohmann::json input;
  for (int i = 0; i < 40; ++i) input["inputs"].push_back({i % 7 / 4.0, i % 5 / 4.0});
  const std::string text = text_view(run(parse_input(input.dump(), "f"), 20));
  EXPECT_NE(text.find("What is longer than 16 is shown in part"), std::string::npos);
  EXPECT_NE(text.find("Shown here: rows 16 to 24 of 40, columns 16 to 24 of 40."),
            std::string::npos);
  EXPECT_NE(text.find("Largest weights of row 20: "), std::string::npos);
  EXPECT_NE(text.find("… and 34 more; --cell 'weights[20,0]'"), std::string::npos);
  EXPECT_LT(lines_of(text).size(), 300U);
}

TEST(TextView, LabelsEveryHead) {
  const std::string text =
      text_view(run(parse_input(R"({"inputs": [[1, 2, 3, 4, 5, 6]], "num_heads": 6})", "f")));
  EXPECT_NE(text.find("Scores, head 3\n"), std::string::npos);
  EXPECT_EQ(text.find("Scores, head 4\n"), std::string::npos);
  EXPECT_NE(text.find("Shown here: heads 0 to 3 of 6."), std::string::npos);
}

}  // namespace
}  // namespace foveal::trace
