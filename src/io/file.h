#pragma once
// Whole files in and out, so that every reader and writer fails the same way.

#include <string>
#include <string_view>
#include <vector>

namespace foveal {

/// All bytes of the file. Throws Error (kind file) that names the path where it is missing, a
/// folder or unreadable. A pipe or a device may give at most 256 MiB.
std::string read_file(const std::string& path);

/// Writes under a temporary name in the same folder, flushes it to the disk, then renames: whoever
/// looks sees the old file or the new one. A file that stands there keeps its permissions; a link
/// stays a link, and its target is replaced. Pipes, terminals and devices (/dev/stdout) are written
/// directly. On failure the temporary file is removed, the old one stays, and Error (kind file)
/// names the path and the cause.
void write_file(const std::string& path, const std::string& bytes);

/// True where write_file writes where the file stands.
bool is_written_directly(const std::string& path);

/// The same for several files: all of them are complete under temporary names before the first one
/// is renamed.
struct FileContent {
  std::string path;
  std::string_view bytes;
};
void write_files(const std::vector<FileContent>& files);

/// Fails where write_files would before the first one is renamed, and leaves everything as it was.
void try_files(const std::vector<FileContent>& files);

}  // namespace foveal
