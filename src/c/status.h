#pragma once
// The fence around each function of foveal/c.h: no exception passes, and the thread knows its
// error.

#include <cstdint>
#include <exception>
#include <new>
#include <string>

#include "foveal/error.h"

namespace foveal::c {

/// What foveal_last_error says from now on, on this thread; cut where it is too long.
void set_last_error(const char* text) noexcept;
const char* last_error() noexcept;

/// What the command exits with.
std::int32_t status_of(ErrorKind kind) noexcept;

/// Sets the error, and returns the status.
std::int32_t fail(const char* text, std::int32_t status) noexcept;

/// Throws Error of kind usage.
[[noreturn]] void refuse(const char* function, const std::string& what);

/// Runs `work`. 0, or the status of what it threw, whose text is the error then.
template <class Work>
std::int32_t guarded(const Work& work) noexcept {
  try {
    work();
  } catch (const Error& error) {
    return fail(error.what(), status_of(error.kind()));
  } catch (const std::bad_alloc&) {
    return fail("no memory left; give smaller tensors or fewer threads",
                status_of(ErrorKind::data));
  } catch (const std::exception& error) {
    return fail(error.what(), status_of(ErrorKind::internal));
  } catch (...) {
    return fail("something unknown was thrown", status_of(ErrorKind::internal));
  }
  set_last_error("");
  return 0;
}

}  // namespace foveal::c
