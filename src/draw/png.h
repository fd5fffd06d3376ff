#pragma once
// PNG from SVG, by librsvg's command.

#include <string>

namespace foveal::draw {

/// The bytes of a PNG file, `scale` times as many pixels as the SVG has px each way. Runs
/// `rsvg-convert`. Throws Error (kind file) that says what to install where that program, or any
/// font, is missing; kind internal where it fails on a picture of ours.
std::string png_from_svg(const std::string& svg, double scale = 2);

}  // namespace foveal::draw
