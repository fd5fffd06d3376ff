// The charts of a comparison.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "draw/colour.h"
#include "draw/svg.h"
#include "draw/text.h"
#include "measure/compare/charts.h"
#include "measure/report.h"

namespace foveal::measure {
namespace {

using draw::Anchor;
using draw::Box;
using draw::Svg;

constexpr double kBarHeight = 14, kBarGap = 4, kGroupGap = 12, kTitleHeight = 36;
constexpr double kNumberWidth = 108;  // right of the longest bar
constexpr double kLabelLine = 16;     // where labels stand above their bars

/// What of a row a chart shows.
struct Chart {
  std::string title;
  Summary CompareRow::* column;
  bool compiled;  ///< the compiled rows in the place of the plain ones of PyTorch
};

bool is_shown(const Chart& chart, const CompareRow& row) {
  if ((row.*chart.column).repeats == 0) return false;
  if (row.library == "foveal") return true;
  return (row.library == "torch_compiled") == chart.compiled;
}

/// Where things stand, by the width of the picture.
struct Layout {
  double width;
  bool narrow() const { return width < 560; }
  double left() const { return narrow() ? draw::kBetween : draw::kAround + 252; }
  double right() const { return width - (narrow() ? draw::kBetween : draw::kAround); }
  double edge() const { return narrow() ? draw::kBetween : draw::kAround; }
  double bars() const { return right() - kNumberWidth - left(); }
};

std::string label_of(const CompareRow& row) {
  if (row.library == "foveal") return row.variant;
  return row.library == "torch" ? "PyTorch" : "PyTorch, compiled";
}

/// Ours in the colour of heat, others hatched on the hair lines' colour.
void draw_bar(Svg& svg, const CompareRow& row, const Box& box) {
  const draw::Palette& palette = svg.palette();
  if (row.library == "foveal") return svg.fill(box, palette.heat_positive, 2);
  svg.fill(box, palette.rule, 2);
  svg.fill(box, svg.hatch(), 2);
  svg.outline(box, palette.ink2, 1, 2);
}

/// The interquartile range around the bar's end.
void draw_spread(Svg& svg, double from, double to, double y) {
  const std::string colour = svg.palette().ink;
  const double top = y + 3, bottom = y + kBarHeight - 3, middle = y + kBarHeight / 2;
  svg.path(fmt::format("M{0} {1}V{2}M{0} {3}H{4}M{4} {1}V{2}", draw::coordinate(from),
                       draw::coordinate(top), draw::coordinate(bottom), draw::coordinate(middle),
                       draw::coordinate(to)),
           "none", colour, 1);
}

/// The median, and half of the interquartile range each way, as the whisker shows it; as many
/// decimals for it as for the time.
std::string time_text(const Summary& summary) {
  const double time = summary.median * 1e3;
  const int decimals = decimals_for(time);
  return fmt::format("{:.{}f} ± {:.{}f} ms", time, decimals, summary.spread * 1e3 / 2, decimals);
}

/// Draws one chart from y down; gives where the next one starts.
double draw_chart(Svg& svg, const Comparison& comparison, const Chart& chart, const Layout& layout,
                  double y) {
  const draw::Palette& palette = svg.palette();
  double slowest = 0;
  for (const CompareRow& row : comparison.rows) {
    if (!is_shown(chart, row)) continue;
    const Summary& summary = row.*chart.column;
    slowest = std::max(slowest, summary.median + summary.spread / 2);
  }
  if (slowest == 0) return y;
  svg.text(layout.edge(), y + draw::kStepSize, chart.title,
           {draw::kStepSize, palette.ink, false, 600});
  y += kTitleHeight;
  const double top = y;
  for (const CompareRow& row : comparison.rows) {
    if (!is_shown(chart, row)) continue;
    const bool ours = row.library == "foveal";
    if (ours && y > top) y += kGroupGap;
    const Summary& summary = row.*chart.column;
    const draw::TextStyle label{draw::kLabelSize, ours ? palette.ink : palette.ink2, true,
                                ours ? 600 : 400, layout.narrow() ? Anchor::start : Anchor::end};
    if (layout.narrow()) {
      svg.text(layout.left(), y + draw::kLabelSize, label_of(row), label);
      y += kLabelLine;
    } else {
      svg.text(layout.left() - draw::kInside, y + kBarHeight - 3, label_of(row), label);
    }
    const double scale = layout.bars() / slowest, width = summary.median * scale;
    draw_bar(svg, row, {layout.left(), y, width, kBarHeight});
    const double half = summary.spread * scale / 2, end = layout.left() + width;
    draw_spread(svg, std::max(layout.left(), end - half), end + half, y);
    svg.text(end + half + draw::kInside, y + kBarHeight - 3, time_text(summary),
             {draw::kLabelSize, palette.ink, true});
    y += kBarHeight + kBarGap;
  }
  svg.path(fmt::format("M{} {}V{}", draw::coordinate(layout.left()), draw::coordinate(top - 4),
                       draw::coordinate(y)),
           "none", palette.rule, 1);
  return y + draw::kAround - kBarGap;
}

/// With room at both ends, since a reader's fonts may be wider than those that were measured.
bool fits(const std::string& text, double width) {
  return draw::text_width(text, draw::kLabelSize, draw::Font::sans) + 14 <= width;
}

/// What is too small for its name, in a bar as long as `whole`, counts as "other".
std::map<std::string, double> shown_shares(const CompareRow& row, double whole) {
  std::map<std::string, double> shares;
  for (const auto& [operation, share] : row.where) {
    shares[fits(operation, share * whole) ? operation : "other"] += share;
  }
  return shares;
}

/// Operations by their share of all rows' time, the largest first, "other" last.
std::vector<std::string> operations_of(const Comparison& comparison, double whole) {
  std::map<std::string, double> totals;
  for (const CompareRow& row : comparison.rows) {
    for (const auto& [operation, share] : shown_shares(row, whole)) totals[operation] += share;
  }
  std::vector<std::string> names;
  names.reserve(totals.size());
  for (const auto& [name, total] : totals) names.push_back(name);
  std::sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    if ((a == "other") != (b == "other")) return b == "other";
    return totals[a] > totals[b];
  });
  return names;
}

/// Neighbouring operations get shades that differ.
std::string shade(const draw::Palette& palette, std::size_t place) {
  static constexpr double kShades[] = {1.0, 0.4, 0.75, 0.25, 0.55, 0.15};
  return draw::heat_colour(palette, kShades[place % std::size(kShades)]);
}

constexpr double kWhereHeight = 22;

/// A part of a bar, with its name and share where they fit, or its name.
void draw_part(Svg& svg, const std::string& operation, double share, const std::string& colour,
               const Box& box) {
  svg.fill({box.x, box.y, std::max(box.width - 1, 0.5), box.height}, colour, 2);
  std::string shown = fmt::format("{} {:.0f} %", operation, share * 100);
  if (!fits(shown, box.width)) shown = fits(operation, box.width) ? operation : "";
  if (shown.empty()) return;
  svg.text(box.x + 4, box.y + box.height - 7, shown, {draw::kLabelSize, svg.palette().ink});
}

/// One variant's bar. `operations` are all that have a colour.
void draw_parts(Svg& svg, const std::map<std::string, double>& shares,
                const std::vector<std::string>& operations, const Layout& layout, double y) {
  const double whole = layout.right() - layout.left();
  double x = layout.left();
  for (std::size_t n = 0; n < operations.size(); ++n) {
    const auto found = shares.find(operations[n]);
    if (found == shares.end()) continue;
    const double width = found->second * whole;
    const bool is_rest = operations[n] == "other";
    draw_part(svg, operations[n], found->second,
              is_rest ? svg.palette().rule : shade(svg.palette(), n), {x, y, width, kWhereHeight});
    x += width;
  }
}

double draw_where(Svg& svg, const Comparison& comparison, const Layout& layout, double y) {
  const draw::Palette& palette = svg.palette();
  const double whole = layout.right() - layout.left();
  const std::vector<std::string> operations = operations_of(comparison, whole);
  if (operations.empty()) return y;
  svg.text(layout.edge(), y + draw::kStepSize, "Where the time of forward + backward goes",
           {draw::kStepSize, palette.ink, false, 600});
  y += kTitleHeight;
  for (const CompareRow& row : comparison.rows) {
    if (row.where.empty()) continue;
    const draw::TextStyle label{draw::kLabelSize, palette.ink, true, 600,
                                layout.narrow() ? Anchor::start : Anchor::end};
    if (layout.narrow()) {
      svg.text(layout.left(), y + draw::kLabelSize, row.variant, label);
      y += kLabelLine;
    } else {
      svg.text(layout.left() - draw::kInside, y + kWhereHeight - 7, row.variant, label);
    }
    draw_parts(svg, shown_shares(row, whole), operations, layout, y);
    y += kWhereHeight + kBarGap + 2;
  }
  return y + draw::kAround - kBarGap;
}

}  // namespace

std::string compare_picture(const Comparison& comparison, const draw::Palette& palette,
                            double width) {
  const Layout layout{width};
  const CompareSettings& settings = comparison.settings;
  Svg svg(palette);
  double y = layout.edge();
  svg.text(layout.edge(), y + draw::kTitleSize,
           layout.narrow() ? "Nine attentions" : "Nine ways to multi-head attention",
           {draw::kTitleSize, palette.ink, false, 600});
  y += draw::kTitleSize + draw::kBetween;
  const std::string what = fmt::format(
      "batch {}, {} tokens, {} wide, {} heads, {}; {}, target {}, {} thread{}{}", settings.batch,
      settings.tokens, settings.width, settings.heads, foveal::to_string(settings.dtype),
      comparison.cpu, comparison.target, comparison.threads, comparison.threads == 1 ? "" : "s",
      comparison.torch_version.empty() ? "" : "; PyTorch " + comparison.torch_version);
  for (const std::string& line : draw::wrap(draw::visible(what), draw::kFormulaSize,
                                            draw::Font::sans, layout.right() - layout.edge())) {
    svg.text(layout.edge(), y + draw::kFormulaSize, line, {draw::kFormulaSize, palette.ink2});
    y += draw::kFormulaSize + 5;
  }
  y += draw::kBetween;
  const std::vector<Chart> charts = {
      {"Forward", &CompareRow::forward, false},
      {"Forward + backward", &CompareRow::forward_backward, false},
      {"Forward + backward, PyTorch's compiled", &CompareRow::forward_backward, true}};
  for (const Chart& chart : charts) {
    if (chart.compiled && !settings.compile) continue;
    y = draw_chart(svg, comparison, chart, layout, y);
  }
  if (!comparison.agrees) {
    svg.text(layout.edge(), y + draw::kStepSize, "The variants disagree: nothing was timed.",
             {draw::kStepSize, palette.ink, false, 600});
    y += kTitleHeight + draw::kAround;
  }
  y = draw_where(svg, comparison, layout, y);
  return svg.finish(width, y - draw::kAround + layout.edge(), "Nine ways to multi-head attention",
                    "Bars of time in milliseconds: " + what);
}

std::string compare_svg(const Comparison& comparison, bool dark) {
  return compare_picture(comparison, dark ? draw::dark_palette() : draw::light_palette(), 900);
}

}  // namespace foveal::measure
