#include "cli/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace foveal::cli {
namespace {

// One word, so that a handler on another thread and the holder see the same order of events. Above
// 0: held, and this signal came. A mask of blocked signals is a thread's own: it would not do.
constexpr int kOpen = 0, kHeld = -1, kEnding = -2;
std::atomic<int> state{kOpen};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not wait for a lock");

std::atomic<void (*)() noexcept> before_the_end{nullptr};
static_assert(std::atomic<void (*)() noexcept>::is_always_lock_free, "likewise");

void end_by(int number) {
  if (auto* const first = before_the_end.load()) first();
  ::signal(number, SIG_DFL);
  sigset_t own;
  sigemptyset(&own);
  sigaddset(&own, number);
  pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
  ::raise(number);
}

void on_signal(int number) {
  int seen = state.load();
  for (;;) {
    if (seen == kOpen && state.compare_exchange_weak(seen, kEnding)) return end_by(number);
    if (seen == kHeld && state.compare_exchange_weak(seen, number)) return;
    if (seen != kOpen && seen != kHeld) return;
  }
}

}  // namespace

void end_on_signals(void (*first)() noexcept) {
  before_the_end = first;
  for (int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action{};
    if (::sigaction(number, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(number, &action, nullptr);
  }
}

SignalsHeld::SignalsHeld() {
  int seen = kOpen;
  if (state.compare_exchange_strong(seen, kHeld)) return;
  for (;;) ::pause();  // another thread is ending the process
}

bool SignalsHeld::came(void* /*user*/) { return state.load() > 0; }

SignalsHeld::~SignalsHeld() {
  const int seen = state.exchange(kOpen);
  if (seen > 0) end_by(seen);
}

}  // namespace foveal::cli
