#pragma once
// Cards of text under the rail: the arithmetic of one pair, and the printed numbers.

#include <string>
#include <vector>

#include "draw/svg.h"
#include "trace/run/record.h"
#include "trace/views/story.h"

namespace foveal::trace {

struct CardLine {
  std::string text;
  bool mono = false;
  bool strong = false;  ///< in ink; else in the shade of labels
  double before = 0;    ///< extra space above it
};

struct Card {
  std::string title;
  std::vector<CardLine> lines{};
};

/// The arithmetic of `pair`: letters, then numbers, step by step.
Card story_card(const Record& record, const Pair& pair);
/// Printed numbers that are wrong, with their slips. No lines where nothing was checked.
Card printed_card(const Record& record);
/// The results of the followed row as they should be, under each scale. No lines but for the
/// worked example.
Card corrected_card(const Record& record);

double card_height(const Card& card, double width);
/// As wide as its longest line, within `most`.
double card_width(const Card& card, double most);
void draw_card(draw::Svg& svg, const Card& card, const draw::Box& box);

}  // namespace foveal::trace
