// The comparison as tables of 80 columns.

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "draw/terminal.h"
#include "measure/compare/compare.h"
#include "measure/report.h"

namespace foveal::measure {
namespace {

namespace terminal = draw::terminal;

std::string start_of(const std::string& variant, const std::string& library) {
  return terminal::pad_right(variant, 28) + " " + terminal::pad_right(library, 8);
}

std::string library_name(const CompareRow& row) {
  return row.library == "torch_compiled" ? "compiled" : row.library;
}

std::string head(const Comparison& comparison) {
  const CompareSettings& settings = comparison.settings;
  std::string text = fmt::format("{}, target {}, {} thread{}\n", comparison.cpu, comparison.target,
                                 comparison.threads, comparison.threads == 1 ? "" : "s");
  if (!comparison.torch_version.empty()) {
    text += fmt::format("PyTorch {}, as many threads\n", comparison.torch_version);
  }
  return text +
         fmt::format("batch {}, {} tokens, {} wide, {} heads, {}; training mode, dropout 0\n",
                     settings.batch, settings.tokens, settings.width, settings.heads,
                     foveal::to_string(settings.dtype));
}

std::string agreement(const Comparison& comparison) {
  std::string text = fmt::format(
      "\nSame weights and input: largest difference from foveal's chapter, at most {:g}\n",
      comparison.most_difference);
  const auto line = [](const std::string& start, const std::string& parameters,
                       const std::string& output, const std::string& gradients,
                       const std::string& peak) {
    return start + " " + terminal::pad_left(parameters, 10) + " " + terminal::pad_left(output, 8) +
           " " + terminal::pad_left(gradients, 9) + " " + terminal::pad_left(peak, 9) + "\n";
  };
  text += line(start_of("variant", "library"), "parameters", "output", "gradients", "peak MB");
  for (const CompareRow& row : comparison.rows) {
    if (!row.runs) continue;
    text += line(
        start_of(row.variant, library_name(row)), std::to_string(row.parameters),
        fmt::format("{:.1e}", row.max_difference),
        (row.has_backward ? fmt::format("{:.1e}", row.max_gradient_difference) : "") +
            (agrees(row, comparison) ? "" : "!"),
        row.peak_bytes ? fmt::format("{:.0f}", static_cast<double>(*row.peak_bytes) / 1e6) : "");
  }
  if (!comparison.agrees) {
    text += "A row marked ! doesn't agree: nothing was timed.\n";
  }
  return text;
}

/// The slowest of a column, for the bars.
double slowest(const Comparison& comparison, Summary CompareRow::* column) {
  double most = 0;
  for (const CompareRow& row : comparison.rows) most = std::max(most, (row.*column).median);
  return most;
}

std::string timed(const Summary& summary, double most, bool colour, bool ours) {
  constexpr int kBar = 6;
  if (summary.repeats == 0) return "";
  const std::string mark = bar(summary.median / most, kBar);
  const std::string blanks(static_cast<std::size_t>(kBar - terminal::width(mark)), ' ');
  const int decimals = decimals_for(summary.median * 1e3);
  return fmt::format("{:6.{}f} {:6.{}f} ", summary.median * 1e3, decimals, summary.spread * 1e3,
                     decimals) +
         (colour && ours ? "\x1b[34m" + mark + "\x1b[0m" : mark) + blanks;
}

/// Each line of `notes` in lines of 80 columns.
std::string wrapped_lines(const std::string& notes) {
  std::string text;
  std::istringstream lines(notes);
  for (std::string note; std::getline(lines, note);) {
    for (const std::string& line : terminal::wrap(note, 80)) text += line + "\n";
  }
  return text;
}

std::string costs(const Comparison& comparison, bool colour) {
  const double forward = slowest(comparison, &CompareRow::forward);
  const double both = slowest(comparison, &CompareRow::forward_backward);
  std::string text = "\nMedians of " + std::to_string(comparison.settings.repeats) +
                     " in turn, in ms, and their spread (interquartile range)\n" +
                     start_of("variant", "library") + " " + terminal::pad_right("forward", 20) +
                     " forward + backward\n";
  std::string notes;
  for (const CompareRow& row : comparison.rows) {
    const std::string start = start_of(row.variant, library_name(row));
    if (row.forward.repeats == 0) {
      text += start + " not timed, see below\n";
      notes += library_name(row) + "'s " + row.variant + ": " + row.note + "\n";
      continue;
    }
    const bool ours = row.library == "foveal";
    if (!row.has_backward) {
      notes += library_name(row) + "'s " + row.variant + ": " + row.note + "\n";
    }
    std::string line = start + " " + timed(row.forward, forward, colour, ours) + " " +
                       timed(row.forward_backward, both, colour, ours);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  text += wrapped_lines(notes);
  return text;
}

std::string where(const Comparison& comparison) {
  std::string text;
  for (const CompareRow& row : comparison.rows) {
    if (row.where.empty()) continue;
    std::vector<std::pair<double, std::string>> shares;
    shares.reserve(row.where.size());
    for (const auto& [operation, share] : row.where) shares.emplace_back(share, operation);
    std::sort(shares.rbegin(), shares.rend());
    std::string list;
    for (const auto& [share, operation] : shares) {
      if (share < 0.005) continue;
      list += fmt::format("{}{} {:.0f}%", list.empty() ? "" : ", ", operation, share * 100);
    }
    std::string name = row.variant;
    for (const std::string& line : terminal::wrap(list, 50)) {
      text += terminal::pad_right(name, 29) + line + "\n";
      name.clear();
    }
  }
  if (!text.empty()) text = "\nWhere the time of forward + backward goes, by operation\n" + text;
  return text;
}

}  // namespace

std::string compare_text(const Comparison& comparison, bool colour) {
  std::string text = head(comparison) + agreement(comparison);
  if (comparison.agrees) text += costs(comparison, colour);
  return text + where(comparison);
}

}  // namespace foveal::measure
