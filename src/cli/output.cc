#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "io/file.h"

namespace foveal::cli {
namespace {

/// Holds back Ctrl-C, hang-up and termination while a temporary file exists; a signal that came
/// meanwhile ends the process right after.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t held;
    sigemptyset(&held);
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&held, signal);
    pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

void write_stdout(const std::string& result) {
  const std::size_t written = std::fwrite(result.data(), 1, result.size(), stdout);
  if (written == result.size() && std::fflush(stdout) == 0) return;
  throw Error("standard output: " + std::generic_category().message(errno), ErrorKind::file);
}

}  // namespace

void write_result(const std::string& result, const std::optional<std::string>& path) {
  if (!path) return write_stdout(result);
  const SignalsHeld held;
  write_file(*path, result);
}

void write_results(const std::vector<std::pair<std::string, std::string>>& files) {
  std::vector<FileContent> contents;
  contents.reserve(files.size());
  for (const auto& [path, bytes] : files) contents.push_back({path, bytes});
  const SignalsHeld held;
  write_files(contents);
}

bool colour_on_stdout() {
  const char* no_colour = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

}  // namespace foveal::cli
