#include "draw/terminal.h"

#include <gtest/gtest.h>

namespace foveal::draw {
namespace {

TEST(Terminal, CountsColumns) {
  EXPECT_EQ(terminal::width(""), 0);
  EXPECT_EQ(terminal::width("cat"), 3);
  EXPECT_EQ(terminal::width("→ −∞ √Σ·…"), 9);
  EXPECT_EQ(terminal::width("漢字"), 4);
  EXPECT_EQ(terminal::width("🦊"), 2);
  EXPECT_EQ(terminal::width("e\u0301"), 1);
}

TEST(Terminal, CutsBetweenCharacters) {
  EXPECT_EQ(terminal::cut("cat", 3), "cat");
  EXPECT_EQ(terminal::cut("cats", 3), "ca…");
  EXPECT_EQ(terminal::cut("漢字", 3), "漢…");
  EXPECT_EQ(terminal::cut("漢字", 2), "…");
  EXPECT_EQ(terminal::cut("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  for (int columns = 1; columns < 12; ++columns) {
    EXPECT_LE(terminal::width(terminal::cut("a漢🦊e\u0301bc字", columns)), columns);
  }
}

TEST(Terminal, PadsToColumns) {
  EXPECT_EQ(terminal::pad_left("漢", 4), "  漢");
  EXPECT_EQ(terminal::pad_right("−∞", 4), "−∞  ");
  EXPECT_EQ(terminal::pad_left("long", 2), "long");
}

TEST(Terminal, WrapsAtSpaces) {
  EXPECT_EQ(terminal::wrap("aa bb cc", 5), (std::vector<std::string>{"aa bb", "cc"}));
  EXPECT_EQ(terminal::wrap("a longword b", 4), (std::vector<std::string>{"a", "longword", "b"}));
  EXPECT_TRUE(terminal::wrap("", 5).empty());
}

}  // namespace
}  // namespace foveal::draw
