#include "trace/input/query.h"

#include <algorithm>
#include <span>

#include "core/filled.h"
#include "foveal/error.h"

namespace foveal::trace {
namespace {

constexpr std::size_t kMostListed = 20;

bool is_index(const std::string& text) {
  return text.size() > 1 && text[0] == '#' &&
         std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::int64_t index_in_range(const std::string& text, std::size_t length) {
  // More than 18 digits are beyond any length, and beyond 63 bits.
  const std::size_t index = text.size() > 19 ? length : std::stoull(text.substr(1));
  if (index < length) return static_cast<std::int64_t>(index);
  throw Error(
      filled("query {} is out of range: there are {} tokens, #0 to #{}", text, length, length - 1));
}

/// "The, cat, sat", with the count of those left out.
std::string listed(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kMostListed);
  const std::string list = joined_with(std::span(names).first(shown), ", ");
  if (names.size() <= kMostListed) return list;
  return filled("{} and {} more", list, names.size() - kMostListed);
}

}  // namespace

std::int64_t find_query(const Input& input, const std::string& text) {
  const std::vector<std::string>& tokens = input.tokens;
  if (is_index(text)) return index_in_range(text, tokens.size());
  std::vector<std::string> places;
  std::int64_t found = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] != text) continue;
    found = static_cast<std::int64_t>(i);
    places.push_back(filled("#{}", i));
  }
  if (places.size() == 1) return found;
  if (places.empty()) {
    throw Error(filled("query '{}' is not among the tokens: {}", text, listed(tokens)));
  }
  throw Error(filled("query '{}' stands {} times, at {}: choose one by its number", text,
                     places.size(), listed(places)));
}

}  // namespace foveal::trace
