#pragma once
// Code points of UTF-8 text.

#include <cstdint>
#include <string>
#include <string_view>

namespace foveal::draw {

inline constexpr char32_t kInvalid = 0xFFFD;

/// A code point, and its length in bytes.
struct Decoded {
  char32_t code = kInvalid;
  std::size_t bytes = 1;
};

/// The one at `at`; kInvalid and 1 for a byte that starts none.
Decoded decode(std::string_view text, std::size_t at);

void append(std::string& out, char32_t code);

/// "U+00E9"
std::string code_name(char32_t code);

/// Marks that sit on the letter before them, and joiners inside an emoji: they take no room.
bool is_mark(char32_t code);

}  // namespace foveal::draw
