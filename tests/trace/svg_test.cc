#include <gtest/gtest.h>

#include "draw/well_formed.h"
#include "trace/records.h"
#include "trace/views/views.h"

namespace foveal::trace {
namespace {

TEST(SvgView, EveryShapeIsWellFormedInEveryVariant) {
  const std::vector<Record> records{
      worked_record(),
      generated_record(1, 1, ""),
      generated_record(5, 4,
                       R"(, "num_heads": 2, "mask": "causal", "dropout": {"p": 0.5, "seed": 1})"),
      generated_record(16, 16, ""),
      generated_record(17, 3, R"(, "mask": "causal")"),
      generated_record(90, 80, R"(, "num_heads": 4)", 70),
  };
  for (const Record& record : records) {
    for (const Theme theme : {Theme::light, Theme::dark}) {
      for (const bool narrow : {false, true}) {
        const std::string svg = svg_view(record, theme, narrow);
        EXPECT_EQ(draw::xml_fault(svg), "");
        EXPECT_EQ(svg, svg_view(record, theme, narrow));
        EXPECT_EQ(count(svg, "<title id=\"title\">"), 1);
        EXPECT_EQ(count(svg, "<desc id=\"description\">"), 1);
        for (const char* outside : {"href", "@import", "@font-face", "url(http", "<script"}) {
          EXPECT_EQ(svg.find(outside), std::string::npos) << outside;
        }
      }
    }
  }
}

TEST(SvgView, WorkedExampleShowsItsNumbersAndTheSlip) {
  const std::string svg = svg_view(worked_record());
  for (const char* text :
       {"How The looks at sat", ">0.6652</text>", ">1.0900</text>", ">not 1</text>",
        ">not 0.01</text>", "W_query", "2·1 + 1·1 = 3", "softmax"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
}

TEST(SvgView, NamesWhatTheChapterCallsAStepOnce) {
  const std::string svg = svg_view(worked_record());
  for (const char* names :
       {">the chapter&#39;s ω, attn_scores<", ">the chapter&#39;s α, attn_weights<",
        ">the chapter&#39;s z, context_vec<", ">the chapter&#39;s q<"}) {
    EXPECT_EQ(count(svg, names), 1) << names;
  }
}

TEST(SvgView, NarrowIs390WideAndNothingReachesBeyond) {
  for (const Record& record : {worked_record(), generated_record(12, 4, R"(, "num_heads": 2)"),
                               generated_record(70, 5, R"(, "mask": "causal")")}) {
    const std::string svg = svg_view(record, Theme::light, true);
    EXPECT_NE(svg.find("viewBox=\"0 0 390 "), std::string::npos);
    for (std::size_t at = svg.find("<rect x=\""); at != std::string::npos;
         at = svg.find("<rect x=\"", at + 1)) {
      const double x = std::stod(svg.substr(at + 9));
      const double width = std::stod(svg.substr(svg.find("width=\"", at) + 7));
      EXPECT_LE(x + width, 390) << svg.substr(at, 80);
    }
  }
}

TEST(SvgView, NegativeNumbersHaveARealMinus) {
  const std::string svg = svg_view(generated_record(4, 3, ""));
  EXPECT_NE(svg.find(">−1.25</text>"), std::string::npos);
  EXPECT_EQ(svg.find(">-1"), std::string::npos);
}

TEST(SvgView, MaskedCellsSayWhy) {
  const std::string svg = svg_view(generated_record(4, 2, R"(, "mask": "causal")"));
  EXPECT_EQ(count(svg, ">−∞</text>"), 6);
  EXPECT_GE(count(svg, "fill=\"url(#hatch)\""), 6);
}

TEST(SvgView, MaskedAndDroppedWeightsAreHatchedToo) {
  const auto hatched = [](const std::string& more) {
    const std::string svg = svg_view(generated_record(4, 2, more));
    return count(svg, "fill=\"url(#hatch)\"");
  };
  EXPECT_EQ(hatched(""), 0);
  // Masked scores, and weights; the small cells of the mask are one path.
  EXPECT_EQ(hatched(R"(, "mask": "causal")"), 6 + 6 + 1);
  EXPECT_EQ(hatched(R"(, "dropout": {"p": 1, "seed": 1})"), 16 + 1);
  const std::string many =
      svg_view(generated_record(20, 3, R"(, "mask": "causal", "dropout": {"p": 0.5, "seed": 1})"));
  EXPECT_EQ(count(many, ">−∞ masked</text>"), 1);
  EXPECT_EQ(count(many, ">masked</text>"), 1);
  EXPECT_EQ(count(many, ">masked or dropped</text>"), 1);
}

TEST(SvgView, MoreThan16TokensAreHeatWithAScale) {
  const std::string few = svg_view(generated_record(16, 3, ""));
  const std::string many = svg_view(generated_record(17, 3, ""));
  EXPECT_EQ(count(few, "<linearGradient id"), 0);
  EXPECT_EQ(count(many, "<linearGradient id"), 7);
  EXPECT_NE(many.find("looks most at"), std::string::npos);
}

TEST(SvgView, MoreThan64TokensAreSampledAndItSaysSo) {
  const std::string svg = svg_view(generated_record(200, 3, "", 150));
  EXPECT_NE(svg.find("Shown are tokens 118 to 181 of 200"), std::string::npos);
  EXPECT_EQ(svg.find(">x1</text>"), std::string::npos);
  EXPECT_NE(svg.find(">x151</text>"), std::string::npos);  // the followed one; names count from 1
}

TEST(SvgView, HostileTokensStayText) {
  const std::string svg = svg_view(run(parse_input(
      R"({"tokens": ["</text><script>alert(1)</script>", "\"]]>&\u0001", "\u202eabc"],
          "inputs": [[1, 0], [0, 1], [1, 1]]})",
      "hostile")));
  EXPECT_EQ(draw::xml_fault(svg), "");
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_NE(svg.find("⟨U+202E⟩"), std::string::npos);
  EXPECT_EQ(svg.find("\u202e"), std::string::npos);
}

TEST(SvgView, FullyMaskedRowsShowNaN) {
  const std::string svg =
      svg_view(generated_record(2, 2, R"(, "mask": [[false, false], [true, true]])"));
  EXPECT_NE(svg.find(">NaN</text>"), std::string::npos);
  EXPECT_EQ(draw::xml_fault(svg), "");
}

}  // namespace
}  // namespace foveal::trace
