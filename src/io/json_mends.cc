#include "io/json_mends.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/ascii.h"

namespace foveal {
namespace {

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

bool is_space(char letter) {
  return letter == ' ' || letter == '\n' || letter == '\t' || letter == '\r';
}

/// What the parser stopped at, and what stands before it.
struct Spot {
  bool at_end = false;
  char at = 0;
  char before = 0;  ///< the last letter that is no space; 0 where there is none
};

Spot spot_at(std::string_view text, std::size_t position) {
  Spot spot;
  if (position == 0 || position > text.size()) {
    spot.at_end = true;
    return spot;
  }
  spot.at = text[position - 1];
  std::size_t at = position - 1;
  while (at > 0 && is_space(text[at - 1])) --at;
  if (at > 0) spot.before = text[at - 1];
  return spot;
}

std::string mend_of_word(const std::string& word) {
  static constexpr std::array<std::pair<const char*, const char*>, 6> kWords = {
      {{"True", "write true"},
       {"False", "write false"},
       {"None", "write null"},
       {"NaN", "JSON has no such number"},
       {"nan", "JSON has no such number"},
       {"Infinity", "JSON has no such number"}}};
  const auto* const found = std::find_if(kWords.begin(), kWords.end(),
                                         [&](const auto& entry) { return word == entry.first; });
  return found == kWords.end() ? "" : found->second;
}

std::string mend_of_letter(char letter) {
  switch (letter) {
    case '\'':
      return "texts and keys stand in double quotes";
    case '.':
      return "a number begins with a digit: 0.5";
    case '+':
      return "a number has no plus sign";
    case '/':
    case '#':
      return "JSON has no comments: take it out";
    case '(':
      return "a list stands in [ and ]";
    case ';':
      return "values have commas between them";
    case '=':
      return "a colon stands between a key and its value";
    default:
      return "";
  }
}

/// Where the parser wanted an end, and found another value.
std::string mend_between(const std::string& why, const Spot& spot, const std::string& word) {
  if (word.size() > 1 && word[0] == '0') return "a number has no zero in front";
  if (spot.at == ']' || spot.at == '}') return "every [ has its ], and every { its }";
  return holds(why, "unexpected") ? "put a comma between them" : "";
}

std::string mend(const std::string& why, const Spot& spot, const std::string& word) {
  if (holds(why, "invalid string")) {
    return holds(why, "backslash") ? "write \\\\ for a backslash" : "";
  }
  if (spot.at_end) return "the text is cut off: every [ needs its ], and every { its }";
  if (spot.before == ',' && (spot.at == ']' || spot.at == '}'))
    return "take out the comma before it";
  if (spot.before == ':' && (spot.at == ']' || spot.at == '}' || spot.at == ',')) {
    return "a value is missing before it";
  }
  if (std::string known = mend_of_word(word); !known.empty()) return known;
  if (std::string known = mend_of_letter(spot.at); !known.empty()) return known;
  if (holds(why, "expected a comma")) return mend_between(why, spot, word);
  if (holds(why, "expected ':'")) return "a colon stands between a key and its value";
  return "";
}

void replace(std::string& text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
}

}  // namespace

std::string with_mend(std::string why, std::string_view text, std::size_t position,
                      const std::string& word) {
  replace(why, "; expected ']'", "; expected a comma or ]");
  replace(why, "; expected '}'", "; expected a comma or }");
  replace(why, "; expected string literal", "; expected a key in double quotes");
  replace(why, "; expected '[', '{', or a literal", "; expected a value");
  const Spot spot = spot_at(text, position);
  constexpr std::string_view kLiteral = "invalid literal";
  const bool names_word = why.rfind(kLiteral, 0) == 0 && mend_of_letter(spot.at).empty();
  if (names_word && !word.empty()) why.insert(kLiteral.size(), " " + word);
  const std::string known = mend(why, spot, word);
  return known.empty() ? why : why + ": " + known;
}

}  // namespace foveal
