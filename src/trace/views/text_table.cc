#include "trace/views/text_table.h"

#include <algorithm>

#include "core/filled.h"
#include "draw/terminal.h"
#include "draw/text.h"

namespace foveal::trace {
namespace {

namespace terminal = draw::terminal;

constexpr int kLongestRowLabel = 16;
constexpr int kLongestColumnLabel = 10;
constexpr int kGap = 2;

using Cells = std::vector<std::vector<std::string>>;

/// The cells with spaces behind the numbers, so that their points stand below one another once they
/// end at one place.
Cells aligned(Cells cells) {
  std::size_t longest = 0;
  for (const auto& row : cells) {
    for (const std::string& cell : row) {
      longest = std::max(longest, draw::after_point(cell).value_or("").size());
    }
  }
  for (auto& row : cells) {
    for (std::string& cell : row) {
      const auto fraction = draw::after_point(cell);
      if (fraction) cell.append(longest - fraction->size(), ' ');
    }
  }
  return cells;
}

/// Columns that every cell takes, so that all blocks line up.
int cell_width(const TextTable& table, const Cells& cells) {
  int width = 1;
  for (const std::string& label : table.column_labels) {
    width = std::max(width, std::min(terminal::width(label), kLongestColumnLabel));
  }
  for (const auto& row : cells) {
    for (const std::string& cell : row) width = std::max(width, terminal::width(cell));
  }
  return width;
}

int row_label_width(const TextTable& table) {
  int width = 0;
  for (const std::string& label : table.row_labels) {
    width = std::max(width, std::min(terminal::width(label), kLongestRowLabel));
  }
  return width;
}

}  // namespace

std::string Style::in(const std::string& text, const char* code) const {
  return colour_ ? filled("\x1b[{}m{}\x1b[0m", code, text) : text;
}

std::vector<std::string> table_lines(const TextTable& table, int width, const Style& style) {
  const Cells cells = aligned(table.cells);
  const int label_width = row_label_width(table), one = cell_width(table, cells) + kGap;
  const auto columns = table.column_labels.size();
  const auto block = static_cast<std::size_t>(std::max(1, (width - label_width - 2) / one));
  std::vector<std::string> lines;
  for (std::size_t first = 0; first < columns; first += block) {
    const std::size_t last = std::min(first + block, columns);
    if (first > 0) lines.emplace_back();
    std::string header(static_cast<std::size_t>(label_width) + 2, ' ');
    for (std::size_t j = first; j < last; ++j) {
      header += terminal::pad_left(terminal::cut(table.column_labels[j], one - kGap), one);
    }
    lines.push_back(style.dim(header));
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const bool followed = table.followed == i;
      std::string line = followed ? "→ " : "  ";
      line += terminal::pad_right(terminal::cut(table.row_labels[i], label_width), label_width);
      for (std::size_t j = first; j < last; ++j) line += terminal::pad_left(cells[i][j], one);
      line.erase(line.find_last_not_of(' ') + 1);
      lines.push_back(followed ? style.followed(line) : line);
    }
  }
  return lines;
}

}  // namespace foveal::trace
