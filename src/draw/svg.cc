#include "draw/svg.h"

#include <algorithm>
#include <cmath>

#include "core/filled.h"
#include "draw/text.h"

namespace foveal::draw {
namespace {

const char* name(Anchor anchor) {
  switch (anchor) {
    case Anchor::middle:
      return "middle";
    case Anchor::end:
      return "end";
    case Anchor::start:
      break;
  }
  return "start";
}

std::string place(const Box& box) {
  return filled("x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", coordinate(box.x),
                coordinate(box.y), coordinate(box.width), coordinate(box.height));
}

std::string safe(std::string_view text) { return text.empty() ? "" : escape(visible(text)); }

}  // namespace

std::string coordinate(double value) {
  const double rounded = std::round(value * 100) / 100;
  return filled("{}", rounded == 0 ? 0.0 : rounded);
}

/// A reference to the room of a text, where that could be wider than measured: beyond ASCII another
/// font may stand in, with other widths.
std::string Svg::clip(double x, double y, std::string_view content, const TextStyle& style) {
  const bool is_ascii =
      std::all_of(content.begin(), content.end(), [](char letter) { return (letter & 0x80) == 0; });
  if (style.room <= 0 || is_ascii) return "";
  const double before = style.anchor == Anchor::start    ? 0
                        : style.anchor == Anchor::middle ? style.room / 2
                                                         : style.room;
  const int id = clips_++;
  definitions_ += filled("<clipPath id=\"c{}\"><rect {}/></clipPath>\n", id,
                         place({x - before, y - 1.2 * style.size, style.room, 1.6 * style.size}));
  return filled(" clip-path=\"url(#c{})\"", id);
}

void Svg::write_text(const std::string& place, double x, double y, std::string_view content,
                     const TextStyle& style, std::string_view whole) {
  body_ +=
      filled("<text {} class=\"{}\" font-size=\"{}\" fill=\"{}\"{}", place, style.mono ? "m" : "s",
             coordinate(style.size), style.colour, clip(x, y, content, style));
  if (style.anchor != Anchor::start) body_ += filled(" text-anchor=\"{}\"", name(style.anchor));
  if (style.weight != 400) body_ += filled(" font-weight=\"{}\"", style.weight);
  body_ += ">";
  if (!whole.empty()) body_ += "<title>" + safe(whole) + "</title>";
  body_ += safe(content) + "</text>\n";
}

void Svg::text(double x, double y, std::string_view content, const TextStyle& style,
               std::string_view whole) {
  write_text(filled("x=\"{}\" y=\"{}\"", coordinate(x), coordinate(y)), x, y, content, style,
             whole);
}

void Svg::text_with_aside(double x, double y, std::string_view content, const TextStyle& style,
                          std::string_view aside, const TextStyle& aside_style) {
  text(x, y, content, style);
  if (aside.empty()) return;
  body_.erase(body_.size() - std::string_view("</text>\n").size());
  body_ += filled(
      "<tspan dx=\"8\" class=\"{}\" font-size=\"{}\" font-weight=\"{}\" "
      "fill=\"{}\">{}</tspan></text>\n",
      aside_style.mono ? "m" : "s", coordinate(aside_style.size), aside_style.weight,
      aside_style.colour, safe(aside));
}

void Svg::vertical_text(double x, double y, std::string_view content, const TextStyle& style,
                        std::string_view whole) {
  write_text(filled("transform=\"translate({} {}) rotate(-90)\"", coordinate(x), coordinate(y)), 0,
             0, content, style, whole);
}

void Svg::fill(const Box& box, const std::string& colour, double radius) {
  body_ += filled("<rect {} rx=\"{}\" fill=\"{}\"/>\n", place(box), coordinate(radius), colour);
}

void Svg::outline(const Box& box, const std::string& colour, double width, double radius,
                  const std::string& dashes) {
  body_ += filled("<rect {} rx=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"", place(box),
                  coordinate(radius), colour, coordinate(width));
  if (!dashes.empty()) body_ += filled(" stroke-dasharray=\"{}\"", dashes);
  body_ += "/>\n";
}

void Svg::path(const std::string& data, const std::string& fill_colour,
               const std::string& stroke_colour, double width) {
  body_ += filled("<path d=\"{}\" fill=\"{}\"", data, fill_colour);
  if (stroke_colour != "none") {
    body_ += filled(
        " stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\" stroke-linejoin=\"round\"",
        stroke_colour, coordinate(width));
  }
  body_ += "/>\n";
}

void Svg::gradient(const Box& box, const std::string& from, const std::string& middle,
                   const std::string& to) {
  const int id = gradients_++;
  definitions_ += filled(
      "<linearGradient id=\"g{}\"><stop offset=\"0\" stop-color=\"{}\"/><stop offset=\"0.5\" "
      "stop-color=\"{}\"/><stop offset=\"1\" stop-color=\"{}\"/></linearGradient>\n",
      id, from, middle, to);
  fill(box, filled("url(#g{})", id), kCellRadius);
}

std::string Svg::finish(double width, double height, std::string_view title,
                        std::string_view description) const {
  const std::string w = coordinate(std::ceil(width));
  const std::string h = coordinate(std::ceil(height));
  std::string out = filled(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" aria-labelledby=\"title description\">\n"
      "<title id=\"title\">{2}</title>\n<desc id=\"description\">{3}</desc>\n",
      w, h, safe(title), safe(description));
  out += filled(
      "<style>.s{{font-family:{}}}.m{{font-family:{};font-variant-numeric:tabular-nums}}"
      "text{{white-space:pre}}</style>\n",
      kSans, kMono);
  // An upright tile with slanted lines: librsvg draws a turned pattern ten times slower.
  out += filled(
      "<defs>\n<pattern id=\"hatch\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
      "<rect width=\"8\" height=\"8\" fill=\"{}\"/><path d=\"M-2 2l4-4M0 8l8-8M6 10l4-4\" "
      "stroke=\"{}\" stroke-width=\"1.5\"/></pattern>\n{}</defs>\n",
      palette_.card, palette_.rule, definitions_);
  out += filled("<rect width=\"{}\" height=\"{}\" fill=\"{}\"/>\n", w, h, palette_.paper);
  return out + body_ + "</svg>\n";
}

}  // namespace foveal::draw
