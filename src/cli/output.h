#pragma once
// What commands share: where results go, and which file an error is about.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "foveal/error.h"

namespace foveal::cli {

/// Writes the whole result to standard output where no `path` is given, else to that file, which
/// takes its name only when it is complete; Ctrl-C waits for that. Throws Error (kind file).
void write_result(const std::string& result, const std::optional<std::string>& path);

/// Throws Error (kind usage) where `out` is one of the files that are read, by whatever name: the
/// result would take its place.
void refuse_to_replace(const std::optional<std::string>& out,
                       const std::vector<std::string>& inputs);

/// Path and bytes of several files: all are complete before the first one takes its name, and a
/// signal that comes meanwhile waits until all have theirs. Pipes and devices are written before,
/// once all files were complete for a try.
void write_results(const std::vector<std::pair<std::string, std::string>>& files);

/// The bytes of the picture as PNG; a line on standard error says which characters no font has.
std::string png_of(const std::string& svg);

/// True where standard output is a terminal and NO_COLOR is unset or empty.
bool colour_on_stdout();

/// How wide text for standard output may be: as wide as the terminal (COLUMNS, where set, counts),
/// from 80 to 160 columns; 80 where it is no terminal.
int width_of_stdout();

/// Runs `work` on what was read from `file`; its errors name the place in the file, the file's own
/// name goes before it.
template <class Work>
auto naming(const std::string& file, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    throw Error(file + ": " + error.what(), error.kind());
  }
}

}  // namespace foveal::cli
