#include "draw/utf8.h"

#include <array>

namespace foveal::draw {

Decoded decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return {first, 1};
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + bytes > text.size()) return {kInvalid, 1};
  char32_t code = first & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {kInvalid, 1};
    code = code << 6 | (byte(at + i) & 0x3F);
  }
  static constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[bytes] || code > 0x10FFFF) return {kInvalid, 1};
  return {code, bytes};
}

void append(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  }
}

std::string code_name(char32_t code) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string name = "U+";
  for (int shift = 20; shift >= 0; shift -= 4) {
    if (shift < 16 || code >> shift != 0) name += kDigits[code >> shift & 0xF];
  }
  return name;
}

bool is_mark(char32_t code) {
  struct Range {
    char32_t first, last;
  };
  static constexpr Range kMarks[] = {
      {0x0300, 0x036F}, {0x0483, 0x0489},   {0x0591, 0x05BD},  {0x064B, 0x065F}, {0x0900, 0x0902},
      {0x093C, 0x093C}, {0x0941, 0x0948},   {0x0E31, 0x0E31},  {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E},
      {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},   {0x200D, 0x200D},  {0x20D0, 0x20FF}, {0xFE00, 0xFE0F},
      {0xFE20, 0xFE2F}, {0x1F3FB, 0x1F3FF}, {0xE0100, 0xE01EF}};
  for (const Range& range : kMarks) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

}  // namespace foveal::draw
