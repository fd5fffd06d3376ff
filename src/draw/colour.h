#pragma once
// Colours: mixing as the eye sees it, and contrast as WCAG 2 defines it.

#include <string>

namespace foveal::draw {

/// sRGB, each 0 to 1, gamma-encoded as in "#rrggbb".
struct Colour {
  double red = 0, green = 0, blue = 0;
};

/// "#rrggbb". Throws Error (kind internal) for other text.
Colour parse_colour(const std::string& hex);
std::string to_hex(const Colour& colour);

/// The colour `share` (0 to 1) of the way from `from` to `to`, in OKLab.
/// Source: Björn Ottosson, "A perceptual color space for image processing" (2020).
Colour mix(const Colour& from, const Colour& to, double share);

/// Contrast ratio of WCAG 2, 1 to 21.
double contrast(const Colour& a, const Colour& b);

}  // namespace foveal::draw
