#include "core/door.h"

#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#include "core/call_scope.h"
#include "foveal/error.h"

namespace foveal {
namespace {

constexpr const char* kNoMemory =
    "no memory left; use smaller tensors or fewer threads, or call release_memory()";

// Made beforehand: where memory has run out, there may be none for a message. Copies share it.
const Error kPrepared(kNoMemory);

[[noreturn]] void throw_no_memory(const char* function) {
  try {
    throw Error(std::string(function) + ": " + kNoMemory);
  } catch (const std::bad_alloc&) {
    throw Error(kPrepared);
  }
}

}  // namespace

void rethrow_as_error(const char* function) {
  try {
    throw;
  } catch (const Error& error) {
    // While the call that is stopped goes on, its own function is further out.
    const bool is_inside = CallScope::current() != nullptr;
    const bool has_name = std::strcmp(error.what(), kStopped) != 0;  // takes no memory
    if (error.kind() != ErrorKind::stopped || has_name || is_inside) throw;
    throw Error(std::string(function) + ": " + kStopped, ErrorKind::stopped);
  } catch (const std::bad_alloc&) {
    throw_no_memory(function);
  } catch (const std::length_error&) {
    throw_no_memory(function);
  }
}

}  // namespace foveal
