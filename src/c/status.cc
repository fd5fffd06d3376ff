#include "c/status.h"

#include <cstring>

#include "foveal/c.h"

namespace foveal::c {
namespace {

// No memory is asked for where there may be none. Errors are a line.
constexpr std::size_t kRoom = 1024;
thread_local char current_error[kRoom] = "";

}  // namespace

void set_last_error(const char* text) noexcept {
  constexpr char kCut[] = "...";
  const std::size_t length = std::strlen(text);
  if (length < kRoom) {
    std::memcpy(current_error, text, length + 1);
    return;
  }
  std::size_t end = kRoom - sizeof kCut;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // whole UTF-8
  std::memcpy(current_error, text, end);
  std::memcpy(current_error + end, kCut, sizeof kCut);
}

const char* last_error() noexcept { return current_error; }

std::int32_t status_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::usage:
      return FOVEAL_USAGE;
    case ErrorKind::data:
      return FOVEAL_DATA;
    case ErrorKind::file:
      return FOVEAL_FILE;
    case ErrorKind::stopped:
      return FOVEAL_STOPPED;
    case ErrorKind::internal:
      break;
  }
  return FOVEAL_INTERNAL;
}

std::int32_t fail(const char* text, std::int32_t status) noexcept {
  set_last_error(text);
  return status;
}

void refuse(const char* function, const std::string& what) {
  throw Error(std::string(function) + ": " + what, ErrorKind::usage);
}

}  // namespace foveal::c
