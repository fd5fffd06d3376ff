#include "draw/grid.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "draw/panel.h"
#include "draw/text.h"
#include "well_formed.h"

namespace foveal::draw {
namespace {

Grid sample(std::size_t rows, std::size_t columns) {
  Grid grid;
  for (std::size_t i = 0; i < rows; ++i) grid.row_labels.push_back(fmt::format("r{}", i));
  for (std::size_t i = 0; i < columns; ++i) grid.column_labels.push_back(fmt::format("c{}", i));
  grid.cells.assign(rows * columns, {"1.0000", 0.5});
  return grid;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

std::string picture(const Grid& grid, bool numbers) {
  Svg svg(light_palette());
  const GridSizes sizes = measure({grid}, numbers, {}, 96);
  draw_grid(svg, grid, sizes, 100, 100, true);
  return svg.finish(600, 600, "A grid", "Of cells");
}

TEST(Grid, CellsWidenForTheLongestNumber) {
  Grid grid = sample(2, 2);
  EXPECT_DOUBLE_EQ(measure({grid}, true, {}, 96).cell_width, kCellWidth);
  grid.cells[3].text = "−123456.7890";
  const GridSizes sizes = measure({grid}, true, {}, 96);
  EXPECT_GE(sizes.cell_width - kCellGap, text_width("−123456.7890", kTextSize, Font::mono));
}

TEST(Grid, NumbersEndAtOnePlace) {
  Grid grid = sample(1, 1);
  Grid two = sample(2, 1);
  two.cells[0].text = "−12.5000";
  const std::string svg = picture(two, true);
  const std::size_t first = svg.find("text-anchor=\"end\"");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(count(svg, "−12.5000</text>"), 1);
  EXPECT_EQ(count(svg, ">1.0000</text>"), 1);
}

TEST(Grid, PointsStandBelowOneAnother) {
  Grid grid = sample(3, 1);
  grid.cells[0].text = "0.25";
  grid.cells[1].text = "−12";
  grid.cells[2].text = "1.2e−09";
  const std::string svg = picture(grid, true);
  const auto end_of = [&](const std::string& text) {
    const std::size_t end = svg.find(">" + text + "</text>");
    const std::size_t start = svg.rfind("<text x=\"", end) + 9;
    return std::stod(svg.substr(start));
  };
  const double letter = text_width("0", kTextSize, Font::mono);
  EXPECT_NEAR(end_of("1.2e−09") - end_of("0.25"), 3 * letter, 0.02);
  EXPECT_NEAR(end_of("1.2e−09") - end_of("−12"), 6 * letter, 0.02);
}

TEST(Grid, HostileLabelsStayText) {
  Grid grid = sample(2, 2);
  grid.row_labels[0] = "</text><script>alert(1)</script>";
  grid.column_labels[1] = "\"&]]>'\x01";
  const std::string svg = picture(grid, true);
  EXPECT_EQ(xml_fault(svg), "");
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_NE(svg.find("&lt;script&gt;"), std::string::npos);  // whole, in a title element
}

TEST(Grid, LongLabelsAreCutAndWholeInATitle) {
  Grid grid = sample(1, 1);
  grid.row_labels[0] = "antidisestablishmentarianism";
  const std::string svg = picture(grid, true);
  EXPECT_EQ(count(svg, "<title>antidisestablishmentarianism</title>"), 1);
  EXPECT_EQ(count(svg, "…</text>"), 1);
}

TEST(Grid, MaskedCellsAreHatchedAndSayWhy) {
  Grid grid = sample(1, 2);
  grid.cells[1] = {"−∞", 0, true};
  const std::string svg = picture(grid, true);
  EXPECT_EQ(count(svg, "url(#hatch)"), 1);
  EXPECT_EQ(count(svg, "−∞"), 1);
}

TEST(Grid, FollowedRowAndSelectedCellHaveColoursOfTheirOwn) {
  Grid grid = sample(3, 3);
  grid.followed = 1;
  grid.looked_at_column = 2;
  for (const bool numbers : {true, false}) {
    const std::string svg = picture(grid, numbers);
    EXPECT_EQ(count(svg, "stroke=\"" + light_palette().accent + "\""), 1);
    EXPECT_EQ(count(svg, "stroke=\"" + light_palette().select + "\""), 1);
  }
  Grid keys = sample(3, 2);
  keys.looked_at_row = 2;
  EXPECT_EQ(count(picture(keys, true), "stroke=\"" + light_palette().select + "\""), 1);
}

TEST(Grid, WrongCellsHaveABorderAndAMark) {
  Grid grid = sample(1, 2);
  const std::size_t before = count(picture(grid, true), "stroke=");
  grid.cells[1].printed = "0.27";
  EXPECT_EQ(count(picture(grid, true), "stroke="), before + 1);  // the border
  EXPECT_EQ(count(picture(grid, true), "not 0.27"), 1);
}

TEST(Grid, HeatHasNoNumbersAndOnePathAColour) {
  Grid grid = sample(40, 40);
  for (std::size_t i = 0; i < grid.cells.size(); ++i)
    grid.cells[i].heat = static_cast<double>(i % 8) / 8;
  const std::string svg = picture(grid, false);
  EXPECT_EQ(count(svg, "1.0000"), 0);
  EXPECT_EQ(count(svg, "<path"), 8 + 1);  // and the tile of the hatch
  EXPECT_EQ(xml_fault(svg), "");
}

TEST(Panel, HeadsWrapWhereTheyDoNotFit) {
  Panel panel;
  panel.title = "Weights";
  panel.formula = "P = softmax of each row";
  panel.grids.assign(5, sample(4, 4));
  panel.sizes = measure(panel.grids, true, {}, 96);
  arrange(panel, 5000);
  EXPECT_EQ(panel.grids_a_row, 5);
  const double tall = panel_height(panel, first_cell(panel));
  for (const double width : {300.0, 600.0, 900.0}) {
    arrange(panel, width);
    EXPECT_LE(panel_width(panel), width);
    EXPECT_GT(panel_height(panel, first_cell(panel)), tall);
  }
  arrange(panel, 10);
  EXPECT_EQ(panel.grids_a_row, 1);
}

}  // namespace
}  // namespace foveal::draw
