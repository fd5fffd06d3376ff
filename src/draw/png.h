#pragma once
// PNG from SVG, by librsvg's command.

#include <string>
#include <vector>

namespace foveal::draw {

struct Png {
  std::string bytes;                 ///< of the file
  std::vector<std::string> missing;  ///< characters that no font here has: they are drawn as "□"
};

/// `scale` times as many pixels as the SVG has px each way. Runs `rsvg-convert`. Throws Error (kind
/// file) that says what to install where that program, or any font, is missing; kind internal where
/// it fails on a picture of ours.
Png png_from_svg(const std::string& svg, double scale = 2);

/// One line that says which characters are missing; empty where none is.
std::string missing_note(const Png& png);

}  // namespace foveal::draw
