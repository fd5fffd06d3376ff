#pragma once
// An SVG document, mark by mark. Every text that comes in is made visible and escaped here.

#include <string>
#include <string_view>

#include "draw/look.h"

namespace foveal::draw {

enum class Anchor { start, middle, end };

struct TextStyle {
  double size = kTextSize;
  std::string colour;
  bool mono = false;
  int weight = 400;
  Anchor anchor = Anchor::start;
  /// Where more than 0: letters whose widths can't be known here are clipped to so much.
  double room = 0;
};

struct Box {
  double x = 0, y = 0, width = 0, height = 0;
};

class Svg {
 public:
  explicit Svg(const Palette& palette) : palette_(palette) {}
  const Palette& palette() const { return palette_; }

  /// `whole`, where not empty, is what a pointer resting on the text is told (a cut token).
  void text(double x, double y, std::string_view content, const TextStyle& style,
            std::string_view whole = {});
  /// `aside` follows `content` in its own style, wherever the font that is there lets that end.
  void text_with_aside(double x, double y, std::string_view content, const TextStyle& style,
                       std::string_view aside, const TextStyle& aside_style);
  /// Reads from bottom to top; (x, y) is where it starts (or ends: style.anchor).
  void vertical_text(double x, double y, std::string_view content, const TextStyle& style,
                     std::string_view whole = {});
  void fill(const Box& box, const std::string& colour, double radius = 0);
  /// `dashes` as in stroke-dasharray, or empty.
  void outline(const Box& box, const std::string& colour, double width, double radius = 0,
               const std::string& dashes = "");
  /// `data` is an SVG path. Pass "none" for no fill or stroke.
  void path(const std::string& data, const std::string& fill_colour,
            const std::string& stroke_colour = "none", double width = 1);
  /// What hatched cells are filled with.
  std::string hatch() const { return "url(#hatch)"; }
  /// A box filled from `from` over `middle` to `to`, left to right.
  void gradient(const Box& box, const std::string& from, const std::string& middle,
                const std::string& to);

  /// The whole document. `title` and `description` are for screen readers.
  std::string finish(double width, double height, std::string_view title,
                     std::string_view description) const;

 private:
  /// (x, y) is where `place` puts the text, in coordinates that turn with it.
  void write_text(const std::string& place, double x, double y, std::string_view content,
                  const TextStyle& style, std::string_view whole);
  std::string clip(double x, double y, std::string_view content, const TextStyle& style);

  Palette palette_;
  std::string body_;
  std::string definitions_;
  int gradients_ = 0, clips_ = 0;
};

/// A coordinate with at most 2 decimals: "12.5", "40".
std::string coordinate(double value);

}  // namespace foveal::draw
