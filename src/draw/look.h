#pragma once
// The tokens of the look: every colour, size and font that a picture or page uses.

#include <string>

namespace foveal::draw {

struct Palette {
  std::string paper;          ///< background
  std::string card;           ///< panels, tool tips
  std::string ink;            ///< text, numbers
  std::string ink2;           ///< labels, formulas
  std::string rule;           ///< hair lines
  std::string accent;         ///< the followed row
  std::string select;         ///< the selected cell and its sources, focus
  std::string heat_zero;      ///< a cell at zero
  std::string heat_positive;  ///< the largest positive value of the step
  std::string heat_negative;  ///< the largest negative value
};

const Palette& light_palette();
const Palette& dark_palette();

/// The background of a cell at `heat`, from -1 (heat_negative) over 0 to 1 (heat_positive), mixed
/// in OKLab: "#b8d4fa". Heat beyond that range is cut, NaN is zero.
std::string heat_colour(const Palette& palette, double heat);

inline constexpr const char* kSans = "Inter, 'Segoe UI', system-ui, sans-serif";
inline constexpr const char* kMono =
    "'JetBrains Mono', ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

// Sizes of type, in px.
inline constexpr double kTitleSize = 22;
inline constexpr double kStepSize = 14;
inline constexpr double kTextSize = 13;
inline constexpr double kFormulaSize = 12;
inline constexpr double kLabelSize = 11;

// Space, in steps of 4 px.
inline constexpr double kInside = 8;
inline constexpr double kBetween = 16;
inline constexpr double kAround = 40;

// Cells: the pitch holds the gap.
inline constexpr double kCellWidth = 62;
inline constexpr double kCellHeight = 36;
inline constexpr double kCellGap = 2;
inline constexpr double kCellRadius = 3;

/// From this many tokens or features on, a matrix is heat without numbers.
inline constexpr int kMostNumbers = 16;
/// From this many on, it is sampled.
inline constexpr int kMostCells = 64;

}  // namespace foveal::draw
