#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "draw/text.h"
#include "trace/records.h"
#include "trace/run/arithmetic.h"
#include "trace/views/page/data.h"
#include "trace/views/page/matrices.h"
#include "trace/views/page/templates.h"
#include "trace/views/shown.h"
#include "trace/views/views.h"

namespace foveal::trace {
namespace {

using nlohmann::json;
using Index = std::vector<std::int64_t>;

json data_of(const std::string& page) {
  const std::string start = "<script type=\"application/json\" id=\"data\">";
  const std::size_t begin = page.find(start) + start.size();
  return json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
  return text;
}

/// What the page's script does with the data, for one cell: its arithmetic, and its sources.
struct Page {
  json data;
  std::vector<Shown> matrices;

  explicit Page(const Record& record)
      : data(data_of(html_view(record))), matrices(page_matrices(record)) {}

  const json& kind(std::size_t matrix, const Index& cell) const {
    const Shown& shown = matrices[matrix];
    const std::int64_t head = shown.has_heads ? cell[0] : 0;
    const std::int64_t row = head * shown.rows.shown() + cell[cell.size() - 2] - shown.rows.begin;
    const std::int64_t at = row * shown.columns.shown() + cell.back() - shown.columns.begin;
    const json& how = data["matrices"][matrix]["how"];
    return how["kinds"][how["cells"][static_cast<std::size_t>(at)].get<std::size_t>()];
  }

  std::vector<Source> sources(std::size_t matrix, const Index& cell) const {
    const json& how = data["matrices"][matrix]["how"];
    std::vector<Source> sources;
    for (const json& group : how["sources"][kind(matrix, cell)[2].get<std::size_t>()]) {
      for (std::int64_t turn = 0; turn < group[0].get<std::int64_t>(); ++turn) {
        for (std::size_t run = 1; run < group.size(); ++run) {
          sources.push_back(source(group[run], turn, cell));
        }
      }
    }
    return sources;
  }

  Source source(const json& run, std::int64_t turn, const Index& cell) const {
    Source source{data["matrices"][run[0].get<std::size_t>()]["name"], {}};
    for (std::size_t k = 2; k < run.size(); ++k) {
      const auto index = run[k].get<std::int64_t>();
      source.cell.push_back(index < 0 ? cell[static_cast<std::size_t>(-1 - index)] : index);
    }
    const auto axis = run[1].get<std::int64_t>();
    if (axis >= 0) source.cell[static_cast<std::size_t>(axis)] += turn;
    return source;
  }

  std::string text_of(const Source& source) const {
    for (const Shown& shown : matrices) {
      if (shown.name != source.matrix) continue;
      if (shown.is_vector) return shown.text(0, 0, source.cell[0]);
      return shown.text(shown.has_heads ? source.cell[0] : 0, source.cell[source.cell.size() - 2],
                        source.cell.back());
    }
    return "";
  }

  std::string numbers(std::size_t matrix, const Index& cell) const {
    std::vector<std::string> values{text_of({matrices[matrix].name, cell}), "", ""};
    for (const Source& source : sources(matrix, cell)) values.push_back(text_of(source));
    if (matrices[matrix].step == StepName::weights)
      scores_of_weight(cell, sources(matrix, cell), &values);
    for (const std::int64_t index : cell) values.push_back(std::to_string(index));
    values.push_back(flat(matrix, cell));
    const json& how = data["matrices"][matrix]["how"];
    return fill(how["numbers"][kind(matrix, cell)[1].get<std::size_t>()], values);
  }

  /// Its own score, and the largest of its row.
  void scores_of_weight(const Index& cell, const std::vector<Source>& sources,
                        std::vector<std::string>* values) const {
    double highest = -HUGE_VAL;
    for (const Source& source : sources) {
      const std::string text = text_of(source);
      if (source.cell == cell) (*values)[1] = text;
      const double value =
          std::strtod(replace_all(replace_all(text, "−", "-"), "∞", "inf").c_str(), nullptr);
      if (value > highest) (*values)[2] = text;
      highest = std::max(highest, value);
    }
  }

  std::string letters(std::size_t matrix, const Index& cell) const {
    std::vector<std::string> values{flat(matrix, cell)};
    for (const std::int64_t index : cell) values.push_back(std::to_string(index));
    const std::vector<Source> from = sources(matrix, cell);
    for (std::size_t k = 0; k < std::min<std::size_t>(from.size(), 2); ++k) {
      for (const std::int64_t index : from[k].cell) values.push_back(std::to_string(index));
    }
    const json& how = data["matrices"][matrix]["how"];
    return fill(how["letters"][kind(matrix, cell)[0].get<std::size_t>()], values);
  }

  std::string flat(std::size_t matrix, const Index& cell) const {
    const Shown& shown = matrices[matrix];
    const std::int64_t head = shown.has_heads ? cell[0] : 0;
    return std::to_string((head * shown.rows.size + cell[cell.size() - 2]) * shown.columns.size +
                          cell.back());
  }

  static std::string fill(std::string text, const std::vector<std::string>& values) {
    for (std::size_t k = 0; k < values.size(); ++k) {
      const bool negative = values[k].rfind("−", 0) == 0;
      text = replace_all(text, fmt::format("⟦{}⟧", k), values[k]);
      text = replace_all(text, fmt::format("⟦({}⟧", k),
                         negative ? fmt::format("({})", values[k]) : values[k]);
    }
    return text;
  }
};

bool on_page(const std::vector<Shown>& matrices, const Source& source) {
  for (const Shown& shown : matrices) {
    if (shown.name != source.matrix) continue;
    if (shown.is_vector) return shown.has(0, 0, source.cell[0]);
    return shown.has(shown.has_heads ? source.cell[0] : 0, source.cell[source.cell.size() - 2],
                     source.cell.back());
  }
  return false;
}

/// The page gives for every cell exactly what arithmetic() gives.
void expect_whole(const Record& record) {
  const Page page(record);
  const Terms terms = terms_on_page(record);
  for (std::size_t matrix = 0; matrix < page.matrices.size(); ++matrix) {
    const Shown& shown = page.matrices[matrix];
    if (!shown.step) continue;
    for (std::int64_t head = 0; head < shown.heads; ++head) {
      for (std::int64_t row = shown.rows.begin; row < shown.rows.end; ++row) {
        for (std::int64_t column = shown.columns.begin; column < shown.columns.end; ++column) {
          const Index cell = shown.has_heads ? Index{head, row, column} : Index{row, column};
          const Arithmetic how = arithmetic(record, *shown.step, cell, terms);
          ASSERT_EQ(page.letters(matrix, cell), pretty(how.letters));
          ASSERT_EQ(page.numbers(matrix, cell), pretty(how.numbers)) << how.letters;
          std::vector<Source> wanted;
          for (const Source& source : how.sources) {
            if (on_page(page.matrices, source)) wanted.push_back(source);
          }
          const std::vector<Source> got = page.sources(matrix, cell);
          ASSERT_EQ(got.size(), wanted.size()) << how.letters;
          for (std::size_t k = 0; k < got.size(); ++k) {
            ASSERT_EQ(got[k].matrix, wanted[k].matrix) << how.letters;
            ASSERT_EQ(got[k].cell, wanted[k].cell) << how.letters;
          }
        }
      }
    }
  }
}

TEST(HtmlView, EveryCellHasItsArithmeticAndSources) {
  expect_whole(worked_record());
  expect_whole(generated_record(1, 1, ""));
  expect_whole(generated_record(
      6, 4, R"(, "num_heads": 2, "mask": "causal", "dropout": {"p": 0.5, "seed": 1})"));
  expect_whole(generated_record(7, 6, R"(, "scale": 40, "mask": "causal")"));
  expect_whole(generated_record(13, 12, R"(, "scale": 0.37, "num_heads": 3)"));
  expect_whole(generated_record(3, 2, R"(, "W_query": [[1,-2],[0,1]], "W_key": [[0,1],[1.5,0]],
      "W_value": [[1,1],[0,1]], "b_query": [1,2], "b_key": [0,-1], "b_value": [0.5,0],
      "W_out": [[1,0],[0,1]], "b_out": [3,4],
      "mask": [[true,false,true],[false,false,false],[true,true,true]])"));
}

TEST(HtmlView, SampledPagesKeepTheirArithmetic) {
  expect_whole(generated_record(70, 3, R"(, "mask": "causal")", 66));
}

TEST(HtmlView, FortyTokensStaySmall) {
  const std::string more =
      R"(, "num_heads": 2, "mask": "causal", "dropout": {"p": 0.1, "seed": 1})";
  EXPECT_LT(html_view(generated_record(40, 64, more)).size(), 3'000'000);
}

TEST(HtmlView, WeightsOfLargeScoresHaveFewKinds) {
  const json page =
      data_of(html_view(generated_record(40, 12, R"(, "scale": 40, "mask": "causal")")));
  for (const json& matrix : page["matrices"]) {
    if (matrix["name"] != "weights") continue;
    EXPECT_LT(matrix["how"]["numbers"].size(), 100) << matrix["how"]["numbers"].size();
  }
}

TEST(HtmlView, SaysWhatIsNotShown) {
  const std::string page = html_view(generated_record(200, 3, "", 150));
  EXPECT_NE(page.find("Shown are tokens 118 to 181 of 200"), std::string::npos);
  EXPECT_EQ(count(page, "<bdi>x1</bdi>"), 0);
}

TEST(HtmlView, MaskedWeightsAreHatched) {
  const std::string page = html_view(generated_record(4, 2, R"(, "mask": "causal")"));
  EXPECT_EQ(count(page, "<td class=\"hatched word\">−∞"), 6);
  EXPECT_EQ(count(page, "<td class=\"hatched word\">false"), 6);
  EXPECT_EQ(count(page, "<td class=\"hatched\">0.0000"), 6);
}

TEST(HtmlView, IsSelfContained) {
  const std::string page = html_view(worked_record());
  for (const char* outside :
       {"http:", "https:", "src=", "@import", "@font-face", "url(", "//cdn"}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(page, html_view(worked_record()));
}

TEST(HtmlView, ReadsWithoutAScript) {
  const std::string page = html_view(worked_record());
  for (const char* text : {"<th scope=\"col\"", "<th scope=\"row\"", "<caption>", "0.6652",
                           "How The looks at sat", "= 2·1 + 1·1 = 3", "<small>not 1</small>"}) {
    EXPECT_NE(page.find(text), std::string::npos) << text;
  }
}

TEST(HtmlView, NamesWhatTheChapterCallsAStepOnce) {
  const std::string page = html_view(worked_record());
  for (const char* names : {"<small>the chapter&#39;s ω, attn_scores</small>",
                            "<small>the chapter&#39;s α, attn_weights</small>",
                            "<small>the chapter&#39;s z, context_vec</small>"}) {
    EXPECT_EQ(count(page, names), 1) << names;
  }
}

TEST(HtmlView, HostileTokensStayText) {
  const std::string page = html_view(run(parse_input(
      R"({"tokens": ["</script><img src=x onerror=alert(1)>", "\"'>]]>&\u0000\u0001", "\u202eabc"],
          "inputs": [[1, 0], [0, 1], [1, 1]]})",
      "hostile")));
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(page.find("\u202e"), std::string::npos);
  EXPECT_EQ(count(page, "</script>"), 2);  // of the data, and of the script
  for (const char letter : page) {
    EXPECT_TRUE(static_cast<unsigned char>(letter) >= 0x20 || letter == '\n');
  }
}

TEST(OpenText, GivesBackItsText) {
  const std::vector<std::vector<std::string>> values{
      {"3", "2", "1", "1", "1"}, {"−12.5000", "−2.5000", "5"}, {"0", "0", "0", "0"}, {"−∞"}};
  for (const char* text :
       {"2·1 + 1·1 = 3", "(−2.5000)·5 ≈ −12.5000", "e^(−∞) / (e^0 + … (34 more) …)",
        "1.2346e+10 · 1.5e−07", "", "12.5.3", "number 5 of the stream of seed 123: 1, kept"}) {
    for (const auto& set : values) EXPECT_EQ(OpenText(text, set).fill(set), text);
  }
}

TEST(OpenText, LeavesTheNumbersOpen) {
  const OpenText text("2·1 + 1·4 = 6", {"6", "2", "1", "1", "4"});
  EXPECT_EQ(text.written(), "⟦(1⟧·⟦(2⟧ + ⟦(3⟧·⟦(4⟧ = ⟦0⟧");
  EXPECT_EQ(text.fill({"9", "8", "7", "6", "5"}), "8·7 + 6·5 = 9");
  EXPECT_EQ(text.fill({"−9", "−8", "7", "6", "5"}), "(−8)·7 + 6·5 = −9");
}

}  // namespace
}  // namespace foveal::trace
