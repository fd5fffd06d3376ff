#include "measure/compare/peak_memory.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "foveal/memory.h"
#include "measure/compare/candidate.h"

namespace foveal::measure {
namespace {

/// "VmRSS" or "VmHWM" of this process, in bytes; 0 where the system doesn't say.
std::int64_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

std::int64_t measured_peak(const std::string& variant, const CompareSettings& settings) {
  const CompareInputs inputs = compare_inputs(settings);
  Candidate candidate(variant, inputs, settings);
  release_memory();
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here on
  const std::int64_t before = status_bytes("VmRSS");
  candidate.forward_backward();
  return before == 0 ? 0 : status_bytes("VmHWM") - before;
}

}  // namespace

std::optional<std::int64_t> peak_bytes_of(const std::string& variant,
                                          const CompareSettings& settings) {
  int ends[2];
  if (pipe(ends) != 0) return std::nullopt;
  const pid_t parent = getpid(), child = fork();
  if (child == 0) {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent) _exit(1);  // it ended before
    std::int64_t peak = 0;
    try {
      peak = measured_peak(variant, settings);
    } catch (...) {
      peak = 0;  // the parent says nothing of it
    }
    const bool written = write(ends[1], &peak, sizeof(peak)) == sizeof(peak);
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  std::int64_t peak = 0;
  const bool is_read = child > 0 && read(ends[0], &peak, sizeof(peak)) == sizeof(peak);
  close(ends[0]);
  if (child > 0) {
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  return is_read && peak > 0 ? std::optional(peak) : std::nullopt;
}

}  // namespace foveal::measure
