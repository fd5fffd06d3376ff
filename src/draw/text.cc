#include "draw/text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/filled.h"
#include "draw/utf8.h"

namespace foveal::draw {
namespace {

// Widths of Inter in thousandths of the size, from U+0020 to U+007E.
constexpr std::array<int, 95> kInter{
    281, 278, 403, 631, 638, 812, 639, 222, 362, 362, 500, 659, 280, 460, 276, 357, 625, 464, 605,
    636, 642, 608, 624, 571, 616, 624, 276, 280, 659, 659, 659, 507, 936, 676, 651, 727, 719, 598,
    587, 743, 740, 264, 543, 652, 562, 889, 753, 761, 635, 761, 639, 638, 642, 741, 676, 949, 642,
    665, 625, 362, 357, 362, 469, 452, 497, 564, 621, 558, 621, 582, 361, 609, 591, 237, 237, 544,
    237, 869, 585, 597, 609, 609, 372, 523, 364, 581, 557, 812, 540, 557, 541, 362, 327, 362, 659};
constexpr double kBoldShare = 1.05;  // Inter SemiBold is about this much wider.
constexpr double kMonoWidth = 0.6;   // Every glyph of JetBrains Mono.

struct Range {
  char32_t first, last;
};

bool within(char32_t code, const Range* begin, const Range* end) {
  for (const Range* range = begin; range != end; ++range) {
    if (code >= range->first && code <= range->last) return true;
  }
  return false;
}

// Emoji and East Asian letters that take the room of two.
bool is_wide(char32_t code) {
  static constexpr Range kWide[] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF},   {0xAC00, 0xD7A3},
                                    {0xF900, 0xFAFF}, {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                                    {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}};
  return within(code, std::begin(kWide), std::end(kWide));
}

bool is_unprintable(char32_t code) {
  static constexpr Range kHidden[] = {{0x0080, 0x009F}, {0x00AD, 0x00AD},   {0x061C, 0x061C},
                                      {0x180E, 0x180E}, {0x200B, 0x200C},   {0x200E, 0x200F},
                                      {0x2028, 0x202E}, {0x2060, 0x206F},   {0xD800, 0xDFFF},
                                      {0xFDD0, 0xFDEF}, {0xFEFF, 0xFEFF},   {0xFFF0, 0xFFFB},
                                      {0xE000, 0xF8FF}, {0xE0000, 0xE007F}, {0xF0000, 0x10FFFF}};
  return within(code, std::begin(kHidden), std::end(kHidden)) || (code & 0xFFFE) == 0xFFFE;
}

double letter_width(char32_t code, Font font) {
  if (is_mark(code)) return 0;
  if (font == Font::mono) return is_wide(code) ? 2 * kMonoWidth : kMonoWidth;
  const double share = font == Font::sans_bold ? kBoldShare : 1;
  if (code >= 0x20 && code < 0x7F) return kInter[code - 0x20] / 1000.0 * share;
  return is_wide(code) ? 1.1 : 0.62 * share;
}

}  // namespace

std::string visible(std::string_view text) {
  if (text.empty()) return "∅";
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, bytes] = decode(text, at);
    at += bytes;
    if (code < 0x20) {
      append(out, 0x2400 + code);
    } else if (code == 0x7F) {
      append(out, 0x2421);
    } else if (code != kInvalid && is_unprintable(code)) {
      out += filled("⟨{}⟩", code_name(code));
    } else {
      append(out, code);
    }
  }
  return out;
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += letter;
    }
  }
  return out;
}

std::optional<std::string_view> after_point(std::string_view text) {
  const std::size_t digit = text.find_first_of("0123456789");
  if (digit == std::string_view::npos) return std::nullopt;
  const std::size_t end = text.find_first_not_of("0123456789", digit);
  return text.substr(std::min(end, text.size()));
}

double text_width(std::string_view text, double size, Font font) {
  double width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, bytes] = decode(text, at);
    width += letter_width(code, font) * size;
    at += bytes;
  }
  return width;
}

double widest_width(std::string_view text, double size, Font font) {
  constexpr double kWidestSans = 1.2;  // DejaVu Sans, against Inter
  return text_width(text, size, font) * (font == Font::mono ? 1 : kWidestSans);
}

std::string cut(std::string_view text, double size, Font font, double width) {
  if (text_width(text, size, font) <= width) return std::string(text);
  double room = width - letter_width(U'…', font) * size;
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, bytes] = decode(text, at);
    room -= letter_width(code, font) * size;
    if (room < 0) break;
    at += bytes;
    end = at;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::vector<std::string> wrap(std::string_view text, double size, Font font, double width) {
  std::vector<std::string> lines;
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t space = std::min(text.find(' ', at), text.size());
    const std::string word(text.substr(at, space - at));
    const std::string longer = line.empty() ? word : line + " " + word;
    if (!line.empty() && widest_width(longer, size, font) > width) {
      lines.push_back(line);
      line = word;
    } else {
      line = longer;
    }
    at = space + 1;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

}  // namespace foveal::draw
