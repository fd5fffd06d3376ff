#pragma once
// What must hold in a forked child.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

// The thread sanitizer ends a child that starts threads. The address sanitizer's own lock stays
// taken in a child that was forked while another thread freed memory: its threads never end.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FOVEAL_NO_FORK
#define FOVEAL_NO_FORK_BESIDE_FREES
#elif __has_feature(address_sanitizer)
#define FOVEAL_NO_FORK_BESIDE_FREES
#endif
#endif

namespace foveal {

/// Whether this process is a child of the test's.
inline bool in_child = false;

}  // namespace foveal

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
/// What the parent's other threads held looks like a leak in a child.
extern "C" inline __attribute__((used)) int __lsan_is_turned_off() {  // NOLINT
  return foveal::in_child ? 1 : 0;
}
#endif
#endif

namespace foveal {

/// Whether `body` holds in a child, which then exits as programs do; a child that hangs is ended.
template <class Body>
bool holds_in_child(const Body& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    in_child = true;
    alarm(10);
    std::exit(body() ? 0 : 3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace foveal
