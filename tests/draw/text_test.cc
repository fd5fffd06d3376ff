#include "draw/text.h"

#include <gtest/gtest.h>

#include <random>

namespace foveal::draw {
namespace {

TEST(Text, HiddenLettersBecomeVisible) {
  EXPECT_EQ(visible("cat"), "cat");
  EXPECT_EQ(visible("größe 日本 👩‍🚀"), "größe 日本 👩‍🚀");
  EXPECT_EQ(visible(""), "∅");
  EXPECT_EQ(visible("a\nb\tc\x7f"), "a␊b␉c␡");
  EXPECT_EQ(visible(std::string("a\0b", 3)), "a␀b");
  EXPECT_EQ(visible("a\u202Eb"), "a⟨U+202E⟩b");
  EXPECT_EQ(visible("\uFEFF\u200B"), "⟨U+FEFF⟩⟨U+200B⟩");
  EXPECT_EQ(visible("\u2028"), "⟨U+2028⟩");
}

TEST(Text, InvalidBytesBecomeTheReplacementLetter) {
  EXPECT_EQ(visible("\xff"), "�");
  EXPECT_EQ(visible("a\xc3"), "a�");
  EXPECT_EQ(visible("\xc0\x80"), "��");  // an overlong zero
  EXPECT_EQ(visible("\xe2\x28\xa1"), "�(�");
  EXPECT_EQ(visible("\xed\xa0\x80"), "⟨U+D800⟩");  // half a surrogate pair
  EXPECT_EQ(visible("\xf5\x80\x80\x80"), "����");
}

TEST(Text, RandomBytesNeverGiveControlCharacters) {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    std::string bytes;
    for (int i = 0; i < 40; ++i) bytes += static_cast<char>(random() & 0xff);
    const std::string shown = visible(bytes);
    for (const char letter : shown) EXPECT_GE(static_cast<unsigned char>(letter), 0x20);
    EXPECT_EQ(visible(shown), shown);
  }
}

TEST(Text, EscapesWhatMarkupReads) {
  EXPECT_EQ(escape("</script><a b=\"c\" d='e'>&"),
            "&lt;/script&gt;&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
  EXPECT_EQ(escape("]]>"), "]]&gt;");
}

TEST(Text, WidthsOfTheFonts) {
  EXPECT_DOUBLE_EQ(text_width("0.2840", 13, Font::mono), 6 * 0.6 * 13);
  EXPECT_DOUBLE_EQ(text_width("−∞", 10, Font::mono), 12);
  EXPECT_DOUBLE_EQ(text_width("日本", 10, Font::mono), 24);
  EXPECT_DOUBLE_EQ(text_width("e\u0301", 10, Font::mono), 6);
  EXPECT_NEAR(text_width("Queries", 14, Font::sans), 14 * 3.638, 0.01);
  EXPECT_GT(text_width("Queries", 14, Font::sans_bold), text_width("Queries", 14, Font::sans));
}

TEST(Text, KnowsWhereTheFractionBegins) {
  EXPECT_EQ(after_point("4"), "");
  EXPECT_EQ(after_point("−12.50"), ".50");
  EXPECT_EQ(after_point("1.2e-09"), ".2e-09");
  EXPECT_EQ(after_point("1e−05"), "e−05");
  EXPECT_EQ(after_point("−∞"), std::nullopt);
  EXPECT_EQ(after_point("true"), std::nullopt);
}

TEST(Text, CutFitsAndKeepsWholeLetters) {
  EXPECT_EQ(cut("cat", 10, Font::mono, 18), "cat");
  EXPECT_EQ(cut("cats", 10, Font::mono, 18), "ca…");
  EXPECT_EQ(cut("日本語日本語", 10, Font::mono, 40), "日本…");
  EXPECT_EQ(cut("e\u0301e\u0301e\u0301e\u0301", 10, Font::mono, 18), "e\u0301e\u0301…");
  const std::string text = "antidisestablishmentarianism 日本 größe";
  for (int width = 10; width < 400; width += 7) {
    const std::string shown = cut(text, 11, Font::sans, width);
    EXPECT_LE(text_width(shown, 11, Font::sans), width) << shown;
    EXPECT_EQ(visible(shown), shown);
  }
}

TEST(Text, WrapKeepsEveryWordInOrder) {
  const std::string text = "2·1 + 1·1 + 0.2500·−3.0000 = 3 and a_word_too_long_for_its_line too";
  for (int width = 20; width < 600; width += 13) {
    const std::vector<std::string> lines = wrap(text, 12, Font::mono, width);
    std::string joined;
    for (const std::string& line : lines) {
      joined += (joined.empty() ? "" : " ") + line;
      const bool one_word = line.find(' ') == std::string::npos;
      EXPECT_TRUE(one_word || text_width(line, 12, Font::mono) <= width) << line;
    }
    EXPECT_EQ(joined, text);
  }
  EXPECT_TRUE(wrap("", 12, Font::mono, 100).empty());
}

}  // namespace
}  // namespace foveal::draw
