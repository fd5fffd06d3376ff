// The picture: title, rail of steps, cards.

#include <algorithm>

#include "core/filled.h"
#include "draw/look.h"
#include "draw/text.h"
#include "trace/views/picture/cards.h"
#include "trace/views/picture/rail.h"
#include "trace/views/views.h"

namespace foveal::trace {
namespace {

constexpr double kNarrow = 390;
constexpr double kNarrowAround = 16;
constexpr double kSmallRail = 880;   // lines of small steps become no wider
constexpr double kLargeRail = 1480;  // room for two larger ones beside each other
constexpr double kSmallStep = 360;
constexpr double kWidestRail = 2000;  // room for a wide step, or for Q, K and V on one line
constexpr double kHeaderLine = 20;

/// Where things go, and how large everything becomes.
struct Page {
  double around = draw::kAround;
  double width = 0;  ///< of the content
};

std::vector<std::string> lines_under_title(const Record& record, const Pair& pair, double width) {
  const std::string key = pair.key == pair.query ? "itself" : token_in_words(record, pair.key);
  std::string text = filled("{} Outlined: its row, and how it looks at {}.", summary(record), key);
  if (const std::string note = window_note(record); !note.empty()) text += " " + note;
  const WhereNext next = where_next(record);
  std::vector<std::string> lines = draw::wrap(text, draw::kTextSize, draw::Font::sans, width);
  for (const std::string& part : {next.words, next.command}) {
    for (std::string& line : draw::wrap(part, draw::kTextSize, draw::Font::sans, width)) {
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

/// So small that it fits where another font stands in for Inter, too.
double title_size(const std::string& title, double width) {
  const double natural = draw::widest_width(title, draw::kTitleSize, draw::Font::sans_bold);
  return draw::kTitleSize * std::min(1.0, width / natural);
}

/// The width that a rail of this record wants: wide steps and the line of X, Q, K, V count.
double wanted_width(const std::vector<Station>& stations) {
  double widest = 0;
  for (const Station& station : stations) {
    widest = std::max(widest, draw::panel_width(station.main));
  }
  const std::vector<Station> first(stations.begin(), stations.begin() + 4);
  const double projection = Rail(first, kWidestRail, 0).width();
  return std::max({widest, projection, widest > kSmallStep ? kLargeRail : kSmallRail});
}

using Column = std::vector<Card>;

double column_width(const Column& column, double most) {
  double width = 0;
  for (const Card& card : column) width = std::max(width, card_width(card, most));
  return width;
}

double column_height(const Column& column, double width) {
  double height = -draw::kBetween;
  for (const Card& card : column) height += card_height(card, width) + draw::kBetween;
  return height;
}

void draw_column(draw::Svg& svg, const Column& column, double x, double y, double width) {
  for (const Card& card : column) {
    const double height = card_height(card, width);
    draw_card(svg, card, {x, y, width, height});
    y += height + draw::kBetween;
  }
}

/// One column beside the other where they fit, else one below the other; returns their height.
double draw_columns(draw::Svg& svg, const std::vector<Column>& columns, const Page& page,
                    double y) {
  double beside = -draw::kBetween;
  double tallest = 0;
  for (const Column& column : columns) {
    const double width = column_width(column, page.width);
    beside += width + draw::kBetween;
    tallest = std::max(tallest, column_height(column, width));
  }
  const bool one_line = beside <= page.width;
  double x = page.around;
  double top = y;
  for (const Column& column : columns) {
    const bool last = &column == &columns.back();
    const double width = !one_line ? page.width
                         : last    ? page.around + page.width - x
                                   : column_width(column, page.width);
    draw_column(svg, column, x, top, width);
    if (one_line) {
      x += width + draw::kBetween;
    } else {
      top += column_height(column, width) + draw::kBetween;
    }
  }
  return one_line ? tallest : top - draw::kBetween - y;
}

/// The story and the corrected results, and the printed numbers beside them.
std::vector<Column> card_columns(const Record& record, const Pair& pair) {
  std::vector<Column> columns{{story_card(record, pair)}};
  if (Card corrected = corrected_card(record); !corrected.lines.empty()) {
    columns[0].push_back(std::move(corrected));
  }
  if (Card printed = printed_card(record); !printed.lines.empty()) columns.push_back({printed});
  return columns;
}

std::string description(const Record& record, const std::vector<Column>& columns) {
  std::vector<std::string> titles;
  titles.reserve(record.steps.size());
  for (const Step& step : record.steps) titles.push_back(step.title);
  std::string text = filled("{} Steps: {}.", summary(record), joined_with(titles, ", "));
  if (const std::string note = window_note(record); !note.empty()) text += " " + note;
  for (const Column& column : columns) {
    for (const Card& card : column) {
      text += filled(" {}:", card.title);
      for (const CardLine& line : card.lines) text += filled(" {}.", line.text);
    }
  }
  return text;
}

}  // namespace

std::string svg_view(const Record& record, Theme theme, bool narrow) {
  draw::Svg svg(theme == Theme::light ? draw::light_palette() : draw::dark_palette());
  const draw::Palette& palette = svg.palette();
  const Pair pair = looked_at(record);
  Page page;
  if (narrow) page.around = kNarrowAround;
  const double room = narrow ? kNarrow - 2 * page.around : kWidestRail;
  std::vector<Station> all = stations(record, pair, {room, narrow ? 72.0 : 96.0});
  const double wanted = narrow ? room : wanted_width(all);
  const Rail rail(std::move(all), wanted, page.around);
  page.width = narrow ? room : std::max(rail.width(), 640.0);

  const std::string title = headline(record);
  double y = page.around + 16;
  svg.text(page.around, y, title, {title_size(title, page.width), palette.ink, false, 650});
  y += 24;
  for (const std::string& line : lines_under_title(record, pair, page.width)) {
    svg.text(page.around, y, line, {.colour = palette.ink2, .room = page.width});
    y += kHeaderLine;
  }
  y += draw::kBetween;
  rail.draw(svg, page.around, y);
  y += rail.height() + 2 * draw::kBetween;

  const std::vector<Column> columns = card_columns(record, pair);
  y += draw_columns(svg, columns, page, y);
  return svg.finish(page.width + 2 * page.around, y + page.around, title,
                    description(record, columns));
}

}  // namespace foveal::trace
