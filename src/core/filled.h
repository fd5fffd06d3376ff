#pragma once
// Texts with gaps. It is no formatter: a number of so many digits comes from number_text.
// docs/decisions/package-builds.md says why there is no library for it.

#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace foveal {

/// Whether each gap of a text has one of `parts` parts, and each of these a gap.
consteval bool gaps_fit(std::string_view text, std::size_t parts);

/// A text for so many parts: "{}" is a gap for the next one, "{2}" for the one of that number, from
/// 0; "{{" and "}}" are braces. Checked as it is compiled.
template <std::size_t parts>
class Gapped {
 public:
  consteval Gapped(const char* text) : text_(text) {  // NOLINT: a text is what callers write
    if (!gaps_fit(text_, parts))
      throw "a gap without a part, a part without a gap, or a lone brace";
  }
  constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

inline std::string part_text(std::string_view text) { return std::string(text); }
inline std::string part_text(char text) { return {text}; }
inline std::string part_text(bool value) { return value ? "true" : "false"; }
/// As many digits as it takes to read the same number back; an exponent from 1e16 on and below
/// 1e-4.
std::string part_text(double number);
template <std::integral T>
std::string part_text(T number) {
  return std::to_string(number);
}
template <std::convertible_to<std::string_view> T>
std::string part_text(const T& text) {
  return std::string(std::string_view(text));
}

/// The text with its gaps filled.
std::string fill_gaps(std::string_view text, std::span<const std::string> parts);

template <class... Parts>
std::string filled(Gapped<sizeof...(Parts)> gapped, const Parts&... parts) {
  if constexpr (sizeof...(Parts) == 0) {
    return fill_gaps(gapped.text(), {});
  } else {
    const std::string texts[] = {part_text(parts)...};
    return fill_gaps(gapped.text(), texts);
  }
}

/// The elements of a range with `separator` between them.
template <class Range>
std::string joined_with(const Range& range, std::string_view separator) {
  std::string result;
  bool first = true;
  for (const auto& element : range) {
    if (!first) result += separator;
    first = false;
    result += part_text(element);
  }
  return result;
}

/// The next gap of a text: what stands before it, its part, and where the text goes on.
struct Gap {
  std::size_t begin = 0, end = 0, part = 0;
  bool brace = false;  ///< no gap: "{{" or "}}"
  bool wrong = false;
};

/// The first gap from `from` on, `next` being the part of an unnumbered one; end 0 where there is
/// none.
constexpr Gap find_gap(std::string_view text, std::size_t from, std::size_t next) {
  Gap gap;
  gap.begin = text.find_first_of("{}", from);
  if (gap.begin == std::string_view::npos) return gap;
  const std::string_view rest = text.substr(gap.begin);
  gap.end = gap.begin + 2;
  gap.part = next;
  if (rest.starts_with("{{") || rest.starts_with("}}")) {
    gap.brace = true;
  } else if (rest.size() > 2 && rest[0] == '{' && rest[1] >= '0' && rest[1] <= '9' &&
             rest[2] == '}') {
    gap.part = static_cast<std::size_t>(rest[1] - '0');
    gap.end = gap.begin + 3;
  } else {
    gap.wrong = !rest.starts_with("{}");
  }
  return gap;
}

consteval bool gaps_fit(std::string_view text, std::size_t parts) {
  bool used[16] = {};
  std::size_t next = 0;
  for (Gap gap = find_gap(text, 0, 0); gap.end != 0; gap = find_gap(text, gap.end, next)) {
    if (gap.wrong) return false;
    if (gap.brace) continue;
    if (gap.part >= parts) return false;
    used[gap.part] = true;
    next = gap.part + 1;
  }
  for (std::size_t part = 0; part < parts; ++part) {
    if (!used[part]) return false;
  }
  return true;
}

}  // namespace foveal
