#include "draw/fonts.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "draw/process.h"
#include "draw/utf8.h"

namespace foveal::draw {
namespace {

constexpr std::chrono::seconds kAskedFor{20};
constexpr const char* kBox = "□";

/// Code points as ranges, in order.
class CodePoints {
 public:
  void add(char32_t first, char32_t last) { ranges_.emplace_back(first, last); }

  void sort() {
    std::sort(ranges_.begin(), ranges_.end());
    std::vector<Range> merged;
    for (const Range& range : ranges_) {
      if (merged.empty() || range.first > merged.back().second) {
        merged.push_back(range);
      } else {
        merged.back().second = std::max(merged.back().second, range.second);
      }
    }
    ranges_ = std::move(merged);
  }

  bool has(char32_t code) const {
    const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), Range{code, U'\xffffffff'});
    return after != ranges_.begin() && std::prev(after)->second >= code;
  }

 private:
  using Range = std::pair<char32_t, char32_t>;
  std::vector<Range> ranges_;
};

std::optional<char32_t> hexadecimal(const char*& at, const char* end) {
  std::uint32_t value = 0;
  const auto result = std::from_chars(at, end, value, 16);
  if (result.ec != std::errc()) return std::nullopt;
  at = result.ptr;
  return static_cast<char32_t>(value);
}

/// Reads "20-7e a0 c0-ff", a line a font.
CodePoints parse_charsets(const std::string& text) {
  CodePoints points;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const auto first = hexadecimal(at, end);
    if (!first) {
      ++at;
      continue;
    }
    auto last = first;
    if (at != end && *at == '-') last = hexadecimal(++at, end);
    points.add(*first, last.value_or(*first));
  }
  points.sort();
  return points;
}

std::optional<CodePoints> characters_of_fonts() {
  const Finished finished = run_program({"fc-list", "--format", "%{charset}\n"}, "", kAskedFor);
  if (!finished.found || finished.status != 0) return std::nullopt;
  return parse_charsets(finished.output);
}

/// Joiners and selectors choose how others are drawn; nothing is missing where they are not there.
bool only_chooses(char32_t code) {
  return code == 0x200D || (code >= 0xFE00 && code <= 0xFE0F) ||
         (code >= 0xE0100 && code <= 0xE01EF);
}

}  // namespace

Drawable drawable(const std::string& text) {
  const bool is_ascii =
      std::all_of(text.begin(), text.end(), [](char letter) { return (letter & 0x80) == 0; });
  if (is_ascii) return {text, {}};
  const std::optional<CodePoints> known = characters_of_fonts();
  if (!known) return {text, {}};
  Drawable result;
  std::set<char32_t> seen;
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, bytes] = decode(text, at);
    const std::string character = text.substr(at, bytes);
    at += bytes;
    if (code < 0x80 || known->has(code)) {
      result.text += character;
      continue;
    }
    if (!is_mark(code)) result.text += kBox;
    if (!only_chooses(code) && seen.insert(code).second) result.missing.push_back(character);
  }
  return result;
}

}  // namespace foveal::draw
