#include "io/encoding.h"

#include <gtest/gtest.h>

#include "errors.h"
#include "io/json.h"

namespace foveal {
namespace {

/// ASCII in units of `width` bytes.
std::string wide(const std::string& text, std::size_t width, bool big_endian) {
  std::string bytes;
  for (const char letter : text) {
    std::string unit(width, '\0');
    unit[big_endian ? width - 1 : 0] = letter;
    bytes += unit;
  }
  return bytes;
}

std::string mark_of(std::size_t width, bool big_endian) {
  std::string mark(width, '\0');
  mark[big_endian ? width - 1 : 0] = '\xFF';
  mark[big_endian ? width - 2 : 1] = '\xFE';
  return mark;
}

TEST(Encoding, NamesWideEncodingsWithAndWithoutAMark) {
  for (const std::size_t width : {2, 4}) {
    for (const bool big_endian : {false, true}) {
      for (const std::string text : {"{", "[]", "1", "{\"inputs\": [[1]]}", "#version: 0.2\nt h"}) {
        const std::string bytes = wide(text, width, big_endian);
        const std::string expected = "f.json: is text in UTF-" + std::to_string(8 * width) +
                                     (big_endian ? " (big-endian)" : " (little-endian)") +
                                     ": save it as UTF-8";
        for (const std::string& file : {bytes, mark_of(width, big_endian) + bytes}) {
          EXPECT_EQ(message_of([&] { utf8_begin(file, "f.json"); }), expected) << text;
          EXPECT_EQ(message_of([&] { parse_json(file, "f.json"); }), expected) << text;
        }
      }
      EXPECT_NE(message_of([&] { utf8_begin(mark_of(width, big_endian), "f"); }), "no error");
    }
  }
}

TEST(Encoding, Utf8MayHaveItsMark) {
  EXPECT_EQ(utf8_begin("{}", "f"), 0U);
  EXPECT_EQ(utf8_begin("", "f"), 0U);
  EXPECT_EQ(utf8_begin("日本", "f"), 0U);
  EXPECT_EQ(utf8_begin("\xEF\xBB\xBF{}", "f"), 3U);
  EXPECT_EQ(parse_json("\xEF\xBB\xBF[1]", "f").size(), 1U);
  EXPECT_EQ(message_of([] { parse_json("\xEF\xBB\xBF \n", "f"); }),
            message_of([] { parse_json("", "f"); }));
  // Places count every byte of the file.
  EXPECT_NE(message_of([] { parse_json("\xEF\xBB\xBF[x]", "f"); }).find("byte 5"),
            std::string::npos);
}

}  // namespace
}  // namespace foveal
