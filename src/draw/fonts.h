#pragma once
// What the fonts of this machine can draw.

#include <string>
#include <vector>

namespace foveal::draw {

struct Drawable {
  std::string text;
  std::vector<std::string> missing;  ///< characters that no font has, each once, in order
};

/// `text` with "□" in the place of each character that no font of this machine has. As it is where
/// fontconfig's `fc-list` is not there to ask.
Drawable drawable(const std::string& text);

}  // namespace foveal::draw
