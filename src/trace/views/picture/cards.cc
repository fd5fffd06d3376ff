#include "trace/views/picture/cards.h"

#include <algorithm>

#include "core/filled.h"
#include "draw/look.h"
#include "draw/text.h"

namespace foveal::trace {
namespace {

constexpr double kPadding = 20;
constexpr double kLineHeight = 20;
constexpr double kTitleHeight = 28;
constexpr std::size_t kMostWrong = 12;

double size_of(const CardLine& line) {
  return line.mono && !line.strong ? draw::kFormulaSize : draw::kTextSize;
}

draw::Font font_of(const CardLine& line) { return line.mono ? draw::Font::mono : draw::Font::sans; }

std::vector<std::string> wrapped(const CardLine& line, double width) {
  return draw::wrap(line.text, size_of(line), font_of(line), width - 2 * kPadding);
}

std::string place(const Check& check) {
  return filled("{}[{}]", text(check.step), joined_with(check.cell, ","));
}

/// The same slip of several cells in a row is told once, after them.
void add_wrong(const Record& record, Card& card) {
  std::vector<const Check*> wrong;
  for (const Check& check : record.checks) {
    if (!check.agrees) wrong.push_back(&check);
  }
  const std::size_t told = std::min(wrong.size(), kMostWrong);
  bool new_slip = true;
  for (std::size_t i = 0; i < told; ++i) {
    const Check& check = *wrong[i];
    const Digits digits = find_step(record, check.step)->digits;
    card.lines.push_back({filled("✗ {} is {}, printed {}", place(check), pretty(check.ours, digits),
                                 pretty(check.printed)),
                          true, true, new_slip && i > 0 ? 6.0 : 0.0});
    new_slip = i + 1 == told || wrong[i + 1]->slip != check.slip;
    if (new_slip && check.slip) card.lines.push_back({pretty(*check.slip)});
  }
  if (wrong.size() > told) card.lines.push_back({filled("and {} more", wrong.size() - told)});
  if (wrong.empty()) {
    card.lines.push_back({filled("All {} printed numbers agree.", record.checks.size())});
  }
}

std::string row(const Tensor& data) {
  const Digits digits = digits_of(data);
  std::vector<std::string> numbers;
  for (const double value : data.to_vector()) numbers.push_back(pretty(value, digits));
  return filled("[{}]", joined_with(numbers, ", "));
}

}  // namespace

Card story_card(const Record& record, const Pair& pair) {
  Card card{story_title(record, pair)};
  for (const Arithmetic& line : story(record, pair)) {
    card.lines.push_back({pretty(line.letters), true, false, card.lines.empty() ? 0.0 : 8.0});
    card.lines.push_back({"= " + pretty(line.numbers), true, true});
  }
  return card;
}

Card printed_card(const Record& record) {
  Card card{"The printed numbers"};
  if (!record.checks.empty()) add_wrong(record, card);
  return card;
}

Card corrected_card(const Record& record) {
  Card card{"Corrected"};
  for (const Corrected& corrected : record.corrected) {
    card.lines.push_back({corrected.name, false, true, card.lines.empty() ? 0.0 : 8.0});
    card.lines.push_back({"scores  " + row(corrected.scores), true});
    card.lines.push_back({"weights " + row(corrected.weights), true});
    card.lines.push_back({"context " + row(corrected.context), true});
  }
  return card;
}

double card_height(const Card& card, double width) {
  double height = 2 * kPadding + kTitleHeight - 6;
  for (const CardLine& line : card.lines) {
    height += line.before + static_cast<double>(wrapped(line, width).size()) * kLineHeight;
  }
  return height;
}

double card_width(const Card& card, double most) {
  double width = draw::widest_width(card.title, draw::kStepSize, draw::Font::sans_bold);
  for (const CardLine& line : card.lines) {
    width = std::max(width, draw::widest_width(line.text, size_of(line), font_of(line)));
  }
  return std::min(most, width + 2 * kPadding + 2);
}

void draw_card(draw::Svg& svg, const Card& card, const draw::Box& box) {
  const draw::Palette& palette = svg.palette();
  svg.fill(box, palette.card, 8);
  svg.outline(box, palette.rule, 1, 8);
  const double x = box.x + kPadding;
  double y = box.y + kPadding + 12;
  svg.text(
      x, y, draw::cut(card.title, draw::kStepSize, draw::Font::sans_bold, box.width - 2 * kPadding),
      {draw::kStepSize, palette.ink, false, 600, draw::Anchor::start, box.width - 2 * kPadding},
      card.title);
  y += kTitleHeight;
  for (const CardLine& line : card.lines) {
    y += line.before;
    for (const std::string& part : wrapped(line, box.width)) {
      svg.text(x, y, part,
               {size_of(line), line.strong ? palette.ink : palette.ink2, line.mono, 400,
                draw::Anchor::start, box.width - kPadding - 2});
      y += kLineHeight;
    }
  }
}

}  // namespace foveal::trace
