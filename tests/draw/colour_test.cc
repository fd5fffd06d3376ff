#include "draw/colour.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "draw/look.h"
#include "foveal/error.h"

namespace foveal::draw {
namespace {

TEST(Colour, HexReadsBack) {
  for (const char* hex : {"#000000", "#ffffff", "#7db1f7", "#0f1317", "#a3501a"}) {
    EXPECT_EQ(to_hex(parse_colour(hex)), hex);
  }
  EXPECT_THROW(parse_colour("red"), Error);
  EXPECT_THROW(parse_colour("#12345"), Error);
  EXPECT_THROW(parse_colour("#1234567"), Error);
}

TEST(Colour, ContrastOfKnownPairs) {
  EXPECT_NEAR(contrast(parse_colour("#000000"), parse_colour("#ffffff")), 21, 1e-9);
  EXPECT_NEAR(contrast(parse_colour("#777777"), parse_colour("#ffffff")), 4.478, 1e-3);
  EXPECT_NEAR(contrast(parse_colour("#336699"), parse_colour("#336699")), 1, 1e-12);
}

TEST(Colour, MixHasItsEndsAndTheMiddleOfTheSketch) {
  const Colour zero = parse_colour("#f3f6fb");
  const Colour full = parse_colour("#7db1f7");
  EXPECT_EQ(to_hex(mix(zero, full, 0)), "#f3f6fb");
  EXPECT_EQ(to_hex(mix(zero, full, 1)), "#7db1f7");
  EXPECT_EQ(to_hex(mix(zero, full, 0.5)), "#b8d4fa");
  // OKLab's middle of black and white is darker than sRGB's.
  EXPECT_EQ(to_hex(mix(parse_colour("#000000"), parse_colour("#ffffff"), 0.5)), "#636363");
}

TEST(Colour, InkReadsOnEveryCell) {
  for (const Palette* palette : {&light_palette(), &dark_palette()}) {
    const Colour ink = parse_colour(palette->ink);
    for (int step = -200; step <= 200; ++step) {
      const std::string cell = heat_colour(*palette, step / 200.0);
      EXPECT_GE(contrast(ink, parse_colour(cell)), 4.5) << cell << " at " << step / 200.0;
    }
  }
}

TEST(Colour, TextReadsOnPaperAndCardAndHatch) {
  for (const Palette* palette : {&light_palette(), &dark_palette()}) {
    for (const std::string& back : {palette->paper, palette->card}) {
      for (const std::string& text :
           {palette->ink, palette->ink2, palette->accent, palette->select}) {
        EXPECT_GE(contrast(parse_colour(text), parse_colour(back)), 4.5) << text << " on " << back;
      }
    }
    EXPECT_GE(contrast(parse_colour(palette->ink), parse_colour(palette->rule)), 4.5);
  }
}

TEST(Colour, OutlinesShowOnEveryCellAndDiffer) {
  for (const Palette* palette : {&light_palette(), &dark_palette()}) {
    EXPECT_NE(palette->accent, palette->select);
    for (int step = -20; step <= 20; ++step) {
      const std::string cell = heat_colour(*palette, step / 20.0);
      EXPECT_GE(contrast(parse_colour(palette->select), parse_colour(cell)), 3) << cell;
    }
  }
}

TEST(Colour, HeatIsCutAtItsEnds) {
  const Palette& palette = light_palette();
  EXPECT_EQ(heat_colour(palette, 7), palette.heat_positive);
  EXPECT_EQ(heat_colour(palette, -7), palette.heat_negative);
  EXPECT_EQ(heat_colour(palette, 0), palette.heat_zero);
  EXPECT_EQ(heat_colour(palette, std::numeric_limits<double>::quiet_NaN()), palette.heat_zero);
  EXPECT_EQ(heat_colour(palette, -std::numeric_limits<double>::infinity()), palette.heat_negative);
}

}  // namespace
}  // namespace foveal::draw
