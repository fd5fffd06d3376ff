#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <sstream>

#include "draw/arrow.h"
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

/// Where the text that is `content` stands.
draw::Point place_of(const std::string& svg, const std::string& content) {
  const std::size_t end = svg.find(">" + content + "<");
  EXPECT_NE(end, std::string::npos) << content;
  const std::size_t start = svg.rfind("<text x=\"", end);
  return {std::stod(svg.substr(start + 9)), std::stod(svg.substr(svg.find(" y=\"", start) + 4))};
}

/// Whether a wire begins at the first column of the step of that title, below it and above all that
/// is further down; and one ends above it.
bool wire_leaves(const std::string& svg, const std::string& title) {
  const draw::Point at = place_of(svg, title);
  double next = HUGE_VAL;
  for (const char* other : {"W_query", "Queries", "W_key", "Keys", "W_value", "Values", "Scores"}) {
    const double y = place_of(svg, other).y;
    if (y > at.y + 1) next = std::min(next, y);
  }
  const std::string start = "<path d=\"M" + draw::coordinate(at.x + 8) + " ";
  for (std::size_t found = svg.find(start); found != std::string::npos;
       found = svg.find(start, found + 1)) {
    const double y = std::stod(svg.substr(found + start.size()));
    if (y > at.y && y < next) return true;
  }
  return false;
}
bool wire_enters(const std::string& svg, const std::string& title) {
  const draw::Point at = place_of(svg, title);
  const std::string tip = draw::coordinate(at.x + 8) + " " + draw::coordinate(at.y - 15);
  return svg.find("L" + tip + "M") != std::string::npos;
}

TEST(SvgView, WiresStartAtTheirTrueOperands) {
  for (const bool narrow : {false, true}) {
    const std::string svg = svg_view(worked_record(), Theme::light, narrow);
    for (const char* operand : {"W_query", "W_key", "W_value", "Queries", "Keys", "Values"}) {
      EXPECT_TRUE(wire_leaves(svg, operand)) << operand << narrow;
    }
    for (const char* result : {"Queries", "Keys", "Values", "Scores", "Context"}) {
      EXPECT_TRUE(wire_enters(svg, result)) << result << narrow;
    }
    // Q and K meet on the way to the scores: both wires end at one tip.
    const draw::Point scores = place_of(svg, "Scores");
    EXPECT_EQ(count(svg, "L" + draw::coordinate(scores.x + 8) + " " +
                             draw::coordinate(scores.y - 15) + "M"),
              2);
  }
}

/// Expects every corner of every wire inside the picture.
void expect_wires_inside(const std::string& svg) {
  const std::size_t box = svg.find("viewBox=\"0 0 ") + 13;
  const double width = std::stod(svg.substr(box));
  const std::string stroke = " fill=\"none\" stroke=";
  for (std::size_t end = svg.find(stroke); end != std::string::npos;
       end = svg.find(stroke, end + 1)) {
    const std::size_t start = svg.rfind("<path d=\"", end);
    if (start == std::string::npos || svg.find('"', start + 9) + 1 != end) continue;  // an outline
    std::string corners = svg.substr(start + 9, end - start - 10);
    for (char& letter : corners) letter = std::isalpha(letter) != 0 ? ' ' : letter;
    std::istringstream numbers(corners);
    for (double x = 0, y = 0; numbers >> x >> y;) {
      EXPECT_GE(x, 0) << corners;
      EXPECT_LE(x, width) << corners;
    }
  }
}

TEST(SvgView, WiresFindTheirWayInEveryLayout) {
  for (const char* more :
       {"", R"(, "mask": "causal")", R"(, "scale": 2, "dropout": {"p": 0.5, "seed": 1})",
        R"(, "num_heads": 2, "mask": "causal", "dropout": {"p": 0.5, "seed": 1})"}) {
    for (const int tokens : {1, 3, 12, 40}) {
      for (const int width : {2, 12, 20}) {
        const Record record = generated_record(tokens, width, more);
        for (const bool narrow : {false, true}) {
          const std::string svg = svg_view(record, Theme::light, narrow);
          expect_wires_inside(svg);
          for (const char* result : {"Queries", "Keys", "Values", "Scores", "Context"}) {
            EXPECT_TRUE(wire_enters(svg, result)) << result << more << tokens << width << narrow;
          }
        }
      }
    }
  }
}

const char* const kWithBiases =
    R"({"inputs": [[1, 0], [0, 1]], "W_query": [[1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1]],
        "W_key": [[1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1]],
        "W_value": [[1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1]],
        "b_query": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5], "b_value": [0, 0, 0, 0, 0, 0, 0, 0.125],
        "W_out": [[1], [2], [3], [4], [5], [6], [7], [8]], "b_out": [0.75]})";

TEST(SvgView, BiasesStandBesideTheirW) {
  const std::string svg = svg_view(run(parse_input(kWithBiases, "f")));
  for (const char* text : {">W_query, b_query<", ">b_query<", ">7.5<", ">W_key<", ">b_value<",
                           ">0.125<", ">W_out, b_out<", ">b_out<", ">0.75<"}) {
    EXPECT_EQ(count(svg, text), 1) << text;
  }
  EXPECT_EQ(count(svg, ">(2, 8), (8)<"), 2);
}

TEST(SvgView, NarrowShowsEveryColumnOfW) {
  const std::string svg = svg_view(run(parse_input(kWithBiases, "f")), Theme::light, true);
  EXPECT_EQ(count(svg, ">W_query, b_query<"), 1);
  EXPECT_EQ(count(svg, ">b_query<"), 2);  // once a block
  for (const char* bias : {">0.5<", ">3.5<", ">4.5<", ">7.5<"})
    EXPECT_EQ(count(svg, bias), 1) << bias;
  EXPECT_GE(count(svg, "stand below"), 3);
  // Too many for numbers: heat, with a scale, and not nothing.
  std::string row = "[0";
  for (int i = 1; i < 20; ++i) row += ",1";
  row += "]";
  for (const bool narrow : {false, true}) {
    const std::string many =
        svg_view(run(parse_input(R"({"inputs": [[1]], "W_query": [)" + row + R"(], "W_key": [)" +
                                     row + R"(], "W_value": [)" + row + "]}",
                                 "f")),
                 Theme::light, narrow);
    EXPECT_EQ(count(many, ">W_query<"), 1);
    EXPECT_EQ(count(many, "<linearGradient id"), 7);
  }
}

TEST(SvgView, TokensStayInTheirRoomWhateverTheirFont) {
  const std::string svg = svg_view(run(parse_input(
      R"({"tokens": ["猫", "坐在垫子上坐在垫子上坐在", "cat"], "inputs": [[1, 0], [0, 1], [1, 1]]})",
      "f")));
  EXPECT_EQ(draw::xml_fault(svg), "");
  const std::size_t token = svg.find(">猫</text>");
  const std::size_t start = svg.rfind("<text", token);
  EXPECT_NE(svg.substr(start, token - start).find("clip-path=\"url(#c"), std::string::npos);
  EXPECT_EQ(count(svg, "<clipPath id"), count(svg, "clip-path=\"url(#c"));
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
