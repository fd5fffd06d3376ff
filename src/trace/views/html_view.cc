// The page: the picture's steps as tables, and what a script needs to walk through them.

#include "core/filled.h"
#include "draw/look.h"
#include "draw/text.h"
#include "trace/views/page/assets.h"
#include "trace/views/page/data.h"
#include "trace/views/page/matrices.h"
#include "trace/views/page/table.h"
#include "trace/views/views.h"

namespace foveal::trace {
namespace {

std::string safe(const std::string& text) {
  return text.empty() ? "" : draw::escape(draw::visible(text));
}

std::string colours(const draw::Palette& palette) {
  std::string css = filled(
      "--paper:{};--card:{};--ink:{};--ink2:{};--rule:{};--accent:{};--select:{};", palette.paper,
      palette.card, palette.ink, palette.ink2, palette.rule, palette.accent, palette.select);
  for (int level = 0; level <= kHeatLevels; ++level) {
    const double heat = static_cast<double>(level) / kHeatLevels;
    css += filled("--p{}:{};", level, draw::heat_colour(palette, heat));
    if (level > 0) css += filled("--n{}:{};", level, draw::heat_colour(palette, -heat));
  }
  return css;
}

/// The tokens of the look as custom properties, and a class for each heat.
std::string token_style() {
  std::string css = filled(
      ":root{{--sans:{};--mono:{};--title:{}px;--step:{}px;--text:{}px;--formula:{}px;--label:{}px;"
      "--cell-width:{}px;--cell-height:{}px;--gap:{}px;--radius:{}px;{}}}\n",
      draw::kSans, draw::kMono, draw::kTitleSize, draw::kStepSize, draw::kTextSize,
      draw::kFormulaSize, draw::kLabelSize, draw::kCellWidth, draw::kCellHeight - draw::kCellGap,
      draw::kCellGap, draw::kCellRadius, colours(draw::light_palette()));
  css += filled("@media screen and (prefers-color-scheme:dark){{:root{{{}}}}}\n",
                colours(draw::dark_palette()));
  for (int level = 0; level <= kHeatLevels; ++level) {
    css += filled(".p{0}{{background:var(--p{0})}}", level);
    if (level > 0) css += filled(".n{0}{{background:var(--n{0})}}", level);
  }
  return css + "\n";
}

std::string head(const Record& record) {
  return filled(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; "
      "form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"description\" content=\"{}\">\n<link rel=\"icon\" href=\"data:,\">\n"
      "<title>{}</title>\n<style>\n{}{}</style>\n</head>\n",
      kPageScriptHash, safe(summary(record)), safe(headline(record)), token_style(), kPageStyle);
}

bool is_parameter(const Shown& shown) { return !shown.step; }

/// The projections stand in one group, and all that follows in another.
bool starts_group(const Shown& shown) { return shown.step == StepName::scores; }

/// Where a matrix is heat without numbers.
std::string scale(const Shown& shown) {
  if (shown.few()) return "";
  if (shown.is_mask) {
    return filled("<p class=\"scale\">hatched: {}</p>\n",
                  shown.step == StepName::mask ? "may not attend" : "dropped");
  }
  const ScaleEnds ends = scale_ends(shown);
  return filled("<p class=\"scale\">{} <i class=\"{}\"></i> {}{}</p>\n",
                ends.low.empty() ? "0" : ends.low, ends.low.empty() ? "up" : "both", ends.high,
                ends.hatched.empty() ? "" : filled(" <i class=\"hatched\"></i> {}", ends.hatched));
}

std::string step(const Record& record, const Shown& shown, std::size_t number) {
  const Step* of_record = shown.step ? find_step(record, *shown.step) : nullptr;
  const std::string by = of_record == nullptr ? "" : led_by(record, *of_record);
  std::string out = filled("<section class=\"{}\" aria-labelledby=\"m{}\">\n",
                           of_record == nullptr ? "step parameter" : "step", number);
  out += filled("<p class=\"by\">{}</p>\n", by.empty() ? "" : safe(by) + " →");
  const std::string names = shown.step ? in_the_chapter(*shown.step) : "";
  out +=
      filled("<h2 id=\"m{}\">{}{}</h2>\n<p class=\"formula\">{}</p>\n", number, safe(shown.title),
             names.empty() ? "" : filled(" <small>{}</small>", safe(names)), safe(shown.formula));
  // The note stands above, so that the matrices of one line end at the same height.
  if (!shown.note.empty()) out += filled("<p class=\"note\">{}</p>\n", safe(shown.note));
  out += filled("<div class=\"heads\">\n{}</div>\n{}", tables(record, shown, number), scale(shown));
  return out + "</section>\n";
}

/// A step under the W and b that go into it.
std::string steps(const Record& record, const std::vector<Shown>& matrices) {
  std::string out = "<div class=\"group\">\n<div class=\"stack\">\n";
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    if (starts_group(matrices[i])) {
      out += "</div>\n</div>\n<div class=\"group\">\n<div class=\"stack\">\n";
    } else if (i > 0 && !is_parameter(matrices[i - 1])) {
      out += "</div>\n<div class=\"stack\">\n";
    }
    out += step(record, matrices[i], i);
  }
  return out + "</div>\n</div>\n";
}

std::string story_section(const Record& record) {
  const Pair pair = looked_at(record);
  std::string out =
      filled("<section class=\"card\">\n<h2>{}</h2>\n<dl>\n", safe(story_title(record, pair)));
  for (const Arithmetic& line : story(record, pair)) {
    out += filled("<dt>{}</dt><dd>= {}</dd>\n", safe(pretty(line.letters)),
                  safe(pretty(line.numbers)));
  }
  return out + "</dl>\n</section>\n";
}

/// How many wrong checks from `at` on have the same slip.
std::size_t same_slip(const std::vector<const Check*>& wrong, std::size_t at) {
  std::size_t end = at;
  while (end < wrong.size() && wrong[end]->slip == wrong[at]->slip) ++end;
  return end - at;
}

std::string printed_section(const Record& record) {
  if (record.checks.empty()) return "";
  std::vector<const Check*> wrong;
  for (const Check& check : record.checks) {
    if (!check.agrees) wrong.push_back(&check);
  }
  std::string rows;
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    const Check& check = *wrong[i];
    rows += filled("<tr><th scope=\"row\">{}[{}]</th><td>{}</td><td>{}</td>", text(check.step),
                   joined_with(check.cell, ","), safe(pretty(check.printed)),
                   pretty(check.ours, find_step(record, check.step)->digits));
    if (i == 0 || wrong[i - 1]->slip != check.slip) {
      rows += filled("<td class=\"slip\" rowspan=\"{}\">{}</td>", same_slip(wrong, i),
                     safe(pretty(check.slip.value_or(""))));
    }
    rows += "</tr>\n";
  }
  const std::string body =
      rows.empty()
          ? filled("<p>All {} printed numbers agree.</p>", record.checks.size())
          : filled(
                "<div class=\"scroll\"><table class=\"list\"><thead><tr><th scope=\"col\">Cell</th>"
                "<th scope=\"col\">Printed</th><th scope=\"col\">Is</th><th scope=\"col\">Why</th>"
                "</tr></thead>\n<tbody>\n{}</tbody></table></div>",
                rows);
  return filled("<section class=\"card\">\n<h2>The printed numbers</h2>\n{}\n</section>\n", body);
}

std::string numbers(const Tensor& data) {
  const Digits digits = digits_of(data);
  std::vector<std::string> texts;
  for (const double value : data.to_vector()) texts.push_back(pretty(value, digits));
  return filled("{}", joined_with(texts, " "));
}

std::string corrected_section(const Record& record) {
  if (record.corrected.empty()) return "";
  std::string rows;
  for (const Corrected& corrected : record.corrected) {
    rows += filled("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                   safe(corrected.name), numbers(corrected.scores), numbers(corrected.weights),
                   numbers(corrected.context));
  }
  return filled(
      "<section class=\"card\">\n<h2>Corrected</h2>\n<div class=\"scroll\"><table class=\"list\">"
      "<thead><tr><td></td><th scope=\"col\">Scores</th><th scope=\"col\">Weights</th>"
      "<th "
      "scope=\"col\">Context</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n</section>\n",
      rows);
}

constexpr const char* kPanel =
    "<aside id=\"panel\" hidden aria-label=\"Where the cell's number comes from\">\n"
    "<div id=\"how\" aria-live=\"polite\"></div>\n"
    "<p class=\"keys\">Arrow keys walk within a matrix, Tab to the next one, Esc closes.</p>\n"
    "<button id=\"close\" type=\"button\" aria-label=\"Close\">✕</button>\n</aside>\n";

}  // namespace

std::string html_view(const Record& record) {
  const std::vector<Shown> matrices = page_matrices(record);
  std::string summary_text = safe(summary(record));
  if (const WhereNext next = where_next(record); !next.command.empty()) {
    summary_text =
        filled("{} <code>{}</code><br>{}", safe(next.words), safe(next.command), summary_text);
  }
  if (const std::string note = window_note(record); !note.empty()) {
    summary_text += filled(" {}", safe(note));
  }
  return head(record) +
         filled("<body>\n<header>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n<main>\n",
                safe(headline(record)), summary_text) +
         steps(record, matrices) + "<div class=\"cards\">\n" + story_section(record) +
         printed_section(record) + corrected_section(record) + "</div>\n</main>\n" + kPanel +
         "<script type=\"application/json\" id=\"data\">" + page_data(record, matrices) +
         "</script>\n<script>" + kPageScript + "</script>\n</body>\n</html>\n";
}

}  // namespace foveal::trace
