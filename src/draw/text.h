#pragma once
// Text in pictures: made safe to show, measured, cut, wrapped, escaped. All text is UTF-8.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace foveal::draw {

enum class Font { sans, sans_bold, mono };

/// `text` with everything that would be invisible, or would reorder or break what stands around
/// it, made visible: control characters as their pictures (␊), direction marks, zero-width and
/// other unprintable code points as "⟨U+202E⟩", invalid bytes as "�". Empty text becomes "∅".
std::string visible(std::string_view text);

/// For XML and HTML text and double-quoted attributes: & < > " ' as entities. Expects text that
/// went through visible().
std::string escape(std::string_view text);

/// What a number has from its point (or exponent) on: ".25" of "−0.25", "" of "4". Nothing for text
/// that is no number: "−∞", "true". Numbers of a column stand so that these parts begin at one
/// place.
std::optional<std::string_view> after_point(std::string_view text);

/// Width in px when set at `size`. Exact for JetBrains Mono and for ASCII in Inter; close for
/// others.
double text_width(std::string_view text, double size, Font font);

/// The same where another font stands in: the usual ones are at most so much wider than Inter.
double widest_width(std::string_view text, double size, Font font);

/// `text` if it is no wider than `width`, else as much of it as fits with "…".
std::string cut(std::string_view text, double size, Font font, double width);

/// Lines whose widest_width is no more than `width` (unless a single word's is), broken at spaces.
std::vector<std::string> wrap(std::string_view text, double size, Font font, double width);

}  // namespace foveal::draw
