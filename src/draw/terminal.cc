#include "draw/terminal.h"

#include <locale.h>
#include <wchar.h>

#include <algorithm>

namespace foveal::draw::terminal {
namespace {

/// The C library knows the widths of characters, in a UTF-8 locale; this takes one for a while, for
/// this thread alone.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(utf8()), before_(locale_ == nullptr ? nullptr : uselocale(locale_)) {}
  ~Utf8Locale() {
    if (locale_ != nullptr) uselocale(before_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

  /// Columns of one character's bytes; 1 where nothing is known.
  int width(const char* bytes, std::size_t count) const {
    if (count == 1 || locale_ == nullptr) return 1;
    mbstate_t state{};
    wchar_t code = 0;
    if (mbrtowc(&code, bytes, count, &state) != count) return 1;
    const int columns = wcwidth(code);
    return columns < 0 ? 1 : columns;
  }

 private:
  /// Made once; null on a machine without it.
  static locale_t utf8() {
    static const locale_t made = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return made;
  }

  locale_t locale_, before_;
};

/// Where the character after the one at `at` begins.
std::size_t next_character(const std::string& text, std::size_t at) {
  do {
    ++at;
  } while (at < text.size() && (text[at] & 0xC0) == 0x80);
  return at;
}

/// Bytes from the start that take at most `columns`.
std::size_t bytes_within(const std::string& text, int columns) {
  const Utf8Locale locale;
  std::size_t at = 0;
  for (int used = 0; at < text.size();) {
    const std::size_t next = next_character(text, at);
    used += locale.width(text.data() + at, next - at);
    if (used > columns) break;
    at = next;
  }
  return at;
}

std::string spaces_up_to(int columns, const std::string& text) {
  return std::string(static_cast<std::size_t>(std::max(0, columns - width(text))), ' ');
}

}  // namespace

int width(const std::string& text) {
  const bool is_ascii =
      std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
  if (is_ascii) return static_cast<int>(text.size());
  const Utf8Locale locale;
  int columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = next_character(text, at);
    columns += locale.width(text.data() + at, next - at);
    at = next;
  }
  return columns;
}

std::string cut(const std::string& text, int columns) {
  if (width(text) <= columns) return text;
  return text.substr(0, bytes_within(text, columns - 1)) + "…";
}

std::string pad_left(const std::string& text, int columns) {
  return spaces_up_to(columns, text) + text;
}

std::string pad_right(const std::string& text, int columns) {
  return text + spaces_up_to(columns, text);
}

std::vector<std::string> wrap(const std::string& text, int columns) {
  std::vector<std::string> lines;
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!line.empty() && width(line) + 1 + width(word) > columns) {
      lines.push_back(line);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    at = end + 1;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

}  // namespace foveal::draw::terminal
