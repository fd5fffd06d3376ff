#pragma once
// A matrix with its labels as lines for a terminal.

#include <optional>
#include <string>
#include <vector>

namespace foveal::trace {

/// ANSI codes, or nothing where colour is off.
class Style {
 public:
  explicit Style(bool colour) : colour_(colour) {}
  std::string bold(const std::string& text) const { return in(text, "1"); }
  std::string dim(const std::string& text) const { return in(text, "2"); }
  /// The followed row: bold in the accent colour.
  std::string followed(const std::string& text) const { return in(text, "1;33"); }

 private:
  std::string in(const std::string& text, const char* code) const;
  bool colour_;
};

struct TextTable {
  std::vector<std::string> row_labels, column_labels;
  std::vector<std::vector<std::string>> cells;
  std::optional<std::size_t> followed;  ///< its row has "→" in front, and is bold
};

/// Lines of at most `width` columns; what is wider breaks into blocks of columns, one below the
/// other. Numbers are right-aligned at their points; long labels are cut.
std::vector<std::string> table_lines(const TextTable& table, int width, const Style& style);

}  // namespace foveal::trace
