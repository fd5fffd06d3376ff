#include "text/splitter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "foveal/error.h"

namespace foveal::text {
namespace {

std::vector<std::string> split(std::string_view text) {
  static const Splitter splitter;
  std::vector<std::string> pieces;
  Pieces walk(splitter, text, 0, text.size());
  while (const auto piece = walk.next()) pieces.emplace_back(*piece);
  return pieces;
}

using Strings = std::vector<std::string>;

TEST(Splitter, CutsWordsNumbersSignsAndContractions) {
  EXPECT_EQ(split(""), Strings{});
  EXPECT_EQ(split("Hello, world 42!"), (Strings{"Hello", ",", " world", " 42", "!"}));
  EXPECT_EQ(split("we've I'll don't'"), (Strings{"we", "'ve", " I", "'ll", " don", "'t", "'"}));
  EXPECT_EQ(split("WE'VE"), (Strings{"WE", "'", "VE"}));
  EXPECT_EQ(split("x=3.14"), (Strings{"x", "=", "3", ".", "14"}));
  EXPECT_EQ(split("a  b   c "), (Strings{"a", " ", " b", "  ", " c", " "}));
  EXPECT_EQ(split("a\n\nb\n c"), (Strings{"a", "\n", "\n", "b", "\n", " c"}));
  EXPECT_EQ(split("naïve 日本語です！"), (Strings{"naïve", " 日本語です", "！"}));
  EXPECT_EQ(split("Ⅳ½①"), (Strings{"Ⅳ½①"}));
}

TEST(Splitter, WhiteSpaceIsUnicodes) {
  const auto is_space = [](const std::string& character) {
    return split("a" + character + character + "b") == Strings{"a", character, character, "b"};
  };
  for (const char* space : {"\t", "\n", "\v", "\f", "\r", "\u0085", "\u00a0", "\u1680", "\u2000",
                            "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    EXPECT_TRUE(is_space(space)) << testing::PrintToString(std::string(space));
  }
  for (const char* other : {"\x1c", "\x1d", "\x1e", "\x1f", "\u180e", "\u200b", "\u200c", "\u200d",
                            "\u2060", "\ufeff", "\u0300", "x", "7", "!"}) {
    EXPECT_FALSE(is_space(other)) << testing::PrintToString(std::string(other));
  }
}

TEST(Splitter, KnowsLettersAndNumbersUpToUnicode16) {
  // In turn from Unicode 15, 15.1 and 16.
  EXPECT_EQ(split("a\U00031350!"), (Strings{"a\U00031350", "!"}));
  EXPECT_EQ(split("a\U0002ebf0!"), (Strings{"a\U0002ebf0", "!"}));
  EXPECT_EQ(split("a\u1c89!"), (Strings{"a\u1c89", "!"}));
  EXPECT_EQ(split("1\U0001e4f0!"), (Strings{"1\U0001e4f0", "!"}));
  EXPECT_EQ(split("1\U0001ccf0!"), (Strings{"1\U0001ccf0", "!"}));
}

TEST(Splitter, CutsWithinABoundAsIfNothingStoodAround) {
  const Splitter splitter;
  const std::string text = "ab  cd";
  Pieces walk(splitter, text, 1, 4);
  EXPECT_EQ(walk.next(), "b");
  EXPECT_EQ(walk.next(), "  ");  // no letter follows inside the bound
  EXPECT_EQ(walk.next(), std::nullopt);
}

/// Independent of PCRE2: the lengths and ranges of the Unicode standard's table 3-7.
std::size_t first_invalid(const std::string& text) {
  const auto byte = [&](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
  };
  const auto within = [&](std::size_t at, unsigned low, unsigned high) {
    return byte(at) >= low && byte(at) <= high;
  };
  for (std::size_t at = 0; at < text.size();) {
    const unsigned lead = byte(at);
    std::size_t length = 0;
    if (lead < 0x80) length = 1;
    if (lead >= 0xC2 && lead <= 0xDF && within(at + 1, 0x80, 0xBF)) length = 2;
    if (lead >= 0xE0 && lead <= 0xEF && within(at + 2, 0x80, 0xBF) &&
        within(at + 1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF)) {
      length = 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4 && within(at + 2, 0x80, 0xBF) && within(at + 3, 0x80, 0xBF) &&
        within(at + 1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF)) {
      length = 4;
    }
    if (length == 0) return at;
    at += length;
  }
  return std::string::npos;
}

TEST(Splitter, RefusesInvalidUtf8WithItsPlace) {
  const std::vector<std::string> broken = {"\x80",
                                           "\xBF\xBF",
                                           "\xC0\xAF",
                                           "\xC1\xBF",
                                           "\xE0\x80\xAF",
                                           "\xE0\x9F\xBF",
                                           "\xF0\x8F\xBF\xBF",
                                           "\xED\xA0\x80",
                                           "\xED\xBF\xBF",
                                           "\xF4\x90\x80\x80",
                                           "\xF5\x80\x80\x80",
                                           "\xF8\x88\x80\x80\x80",
                                           "\xFC\x84\x80\x80\x80\x80",
                                           "\xFE",
                                           "\xFF",
                                           "\xC3",
                                           "\xE2\x82",
                                           "\xF0\x9F\x98",
                                           "\xC3(",
                                           "\xE2\x28\xA1",
                                           "\xE2\x82\x28",
                                           "\xF0\x28\x8C\xBC",
                                           "\xF0\x90\x28\xBC",
                                           "\xF0\x28\x8C\x28"};
  for (const std::string& bad : broken) {
    for (const std::string before : {"", "abc ", "é日😀  \n"}) {
      for (const std::string after : {"", " end", "é"}) {
        const std::string text = before + bad + after;
        ASSERT_EQ(first_invalid(text), before.size());
        try {
          split(text);
          ADD_FAILURE() << testing::PrintToString(text);
        } catch (const Error& error) {
          EXPECT_NE(std::string(error.what())
                        .find("not valid UTF-8 at byte " + std::to_string(before.size()) + ":"),
                    std::string::npos)
              << testing::PrintToString(text) << error.what();
        }
      }
    }
  }
}

TEST(Splitter, AcceptsTheEndsOfEveryRangeOfUtf8) {
  for (const std::string text :
       {"\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(first_invalid(text), std::string::npos);
    EXPECT_EQ(split(text), Strings{text});
  }
}

}  // namespace
}  // namespace foveal::text
