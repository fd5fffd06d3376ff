#pragma once
// Text in a terminal, counted in columns. Expects text that went through visible() (text.h).

#include <string>
#include <vector>

namespace foveal::draw::terminal {

/// Columns that `text` takes: 2 for CJK and emoji, 0 for combining marks.
int width(const std::string& text);

/// `text` if it fits in `columns` (at least 1), else its beginning and "…".
std::string cut(const std::string& text, int columns);

std::string pad_left(const std::string& text, int columns);
std::string pad_right(const std::string& text, int columns);

/// Breaks at spaces into lines of at most `columns`; a longer word stands alone on its line.
std::vector<std::string> wrap(const std::string& text, int columns);

}  // namespace foveal::draw::terminal
