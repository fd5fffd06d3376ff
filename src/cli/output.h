#pragma once
// Where results go: standard output, or the file of --out.

#include <string>

namespace foveal::cli {

/// Writes the whole result to standard output where `path` is empty, else to that file, which
/// takes its name only when it is complete; Ctrl-C waits for that. Throws Error (kind file).
void write_result(const std::string& result, const std::string& path);

/// True where standard output is a terminal and NO_COLOR is unset or empty.
bool colour_on_stdout();

}  // namespace foveal::cli
