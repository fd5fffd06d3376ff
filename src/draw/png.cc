#include "draw/png.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/filled.h"
#include "draw/fonts.h"
#include "draw/process.h"
#include "draw/utf8.h"
#include "foveal/error.h"

namespace foveal::draw {
namespace {

constexpr std::chrono::seconds kLimit{60};
constexpr const char* kPngStart = "\x89PNG\r\n\x1a\n";

std::string convert(const std::string& svg, double scale) {
  // --unlimited: a picture of many cells passes the XML parser's limit on size.
  Finished finished =
      run_program({"rsvg-convert", "--unlimited", "--format", "png", "--zoom", filled("{}", scale)},
                  svg, kLimit);
  if (!finished.found) {
    throw Error("png: rsvg-convert is not on PATH: install librsvg2-bin, or use --format svg",
                ErrorKind::file);
  }
  if (finished.status != 0 || finished.output.rfind(kPngStart, 0) != 0) {
    const std::string first = finished.errors.substr(0, finished.errors.find('\n'));
    throw Error(
        filled("png: rsvg-convert ended with {} on the picture: {}", finished.status, first),
        ErrorKind::internal);
  }
  return finished.output;
}

// Without any font every letter comes out as the same box.
bool has_font() {
  const auto letter = [](char text) {
    return filled(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"20\" height=\"20\">"
        "<text y=\"15\">{}</text></svg>",
        text);
  };
  return convert(letter('M'), 1) != convert(letter('W'), 1);
}

}  // namespace

Png png_from_svg(const std::string& svg, double scale) {
  if (!has_font()) {
    throw Error(
        "png: no font is installed, so no letter can be drawn: install fonts-dejavu-core (or "
        "fonts-inter and fonts-jetbrains-mono), or use --format svg",
        ErrorKind::file);
  }
  Drawable picture = drawable(svg);
  return {convert(picture.text, scale), std::move(picture.missing)};
}

std::string missing_note(const Png& png) {
  if (png.missing.empty()) return "";
  constexpr std::size_t kMostNamed = 8;
  std::string named;
  for (std::size_t i = 0; i < std::min(png.missing.size(), kMostNamed); ++i) {
    const char32_t code = decode(png.missing[i], 0).code;
    named += filled("{}{} ({})", i == 0 ? "" : ", ", png.missing[i], code_name(code));
  }
  if (png.missing.size() > kMostNamed) {
    named += filled(" and {} more", png.missing.size() - kMostNamed);
  }
  return filled(
      "png: no font here has {}: drawn as □. Install one that has them, or use --format svg",
      named);
}

}  // namespace foveal::draw
