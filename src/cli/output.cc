#include "cli/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "cli/signals.h"
#include "draw/png.h"
#include "draw/text.h"
#include "io/file.h"

namespace foveal::cli {
namespace {

void write_stdout(const std::string& result) {
  const std::size_t written = std::fwrite(result.data(), 1, result.size(), stdout);
  if (written == result.size() && std::fflush(stdout) == 0) return;
  throw Error("standard output: " + std::generic_category().message(errno), ErrorKind::file);
}

}  // namespace

void write_result(const std::string& result, const std::optional<std::string>& path) {
  if (!path) return write_stdout(result);
  write_results({{*path, result}});
}

void refuse_to_replace(const std::optional<std::string>& out,
                       const std::vector<std::string>& inputs) {
  std::error_code failure;
  if (!out || !std::filesystem::is_regular_file(*out, failure)) return;
  for (const std::string& input : inputs) {
    if (!std::filesystem::equivalent(*out, input, failure) || failure) continue;
    throw Error(*out + ": is the input, which the result would replace: write to another file",
                ErrorKind::usage);
  }
}

void write_results(const std::vector<std::pair<std::string, std::string>>& files) {
  std::vector<FileContent> streams, contents;
  for (const auto& [path, bytes] : files) {
    (is_written_directly(path) ? streams : contents).push_back({path, bytes});
  }
  if (!streams.empty()) {
    {
      const SignalsHeld held;
      try_files(contents);  // a pipe gets nothing where another result can't be written
    }
    write_files(streams);  // while signals end the process: one may wait for its reader for ever
  }
  const SignalsHeld held;
  write_files(contents);
}

std::string png_of(const std::string& svg) {
  draw::Png png = draw::png_from_svg(svg);
  if (const std::string note = draw::missing_note(png); !note.empty()) {
    std::fprintf(stderr, "foveal: %s\n", draw::visible(note).c_str());
  }
  return std::move(png.bytes);
}

bool colour_on_stdout() {
  const char* no_colour = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

int width_of_stdout() {
  constexpr int kNarrowest = 80, kWidest = 160;
  if (::isatty(STDOUT_FILENO) != 1) return kNarrowest;
  int columns = 0;
  if (winsize size{}; ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  if (const char* asked = std::getenv("COLUMNS")) {
    int number = 0;
    const char* const end = asked + std::strlen(asked);
    const auto [stop, problem] = std::from_chars(asked, end, number);
    if (problem == std::errc() && stop == end && number > 0) columns = number;
  }
  return std::clamp(columns, kNarrowest, kWidest);
}

}  // namespace foveal::cli
