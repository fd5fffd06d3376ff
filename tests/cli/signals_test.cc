// Ctrl-C while several results are written, with threads of the process alive: all of them or none.

#include "cli/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <random>
#include <thread>

#include "cli/output.h"
#include "command.h"

namespace foveal::cli {
namespace {

constexpr int kFiles = 20;

class Signals : public CommandTest {
 protected:
  std::string file(int n) const { return path("result" + std::to_string(n)); }

  /// Writes all files again and again, each time with other content, until a signal ends it.
  [[noreturn]] void write_for_ever() const {
    end_on_signals();
    std::vector<std::thread> threads;
    for (int n = 0; n < 3; ++n) threads.emplace_back([] { ::pause(); });
    for (int round = 0;; ++round) {
      std::vector<std::pair<std::string, std::string>> files;
      for (int n = 0; n < kFiles; ++n) files.emplace_back(file(n), std::to_string(round));
      write_results(files);
    }
  }

  /// The round that all files are from; -1 where they are from several.
  int common_round() const {
    const std::string first = read(file(0));
    for (int n = 1; n < kFiles; ++n) {
      if (read(file(n)) != first) return -1;
    }
    return std::stoi(first);
  }

  template <class Function>
  pid_t fork_and(Function function) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    // nohup and a shell's background jobs begin with some of them ignored.
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
    function();
    return 0;
  }

  /// Of a child that was told to end; one that doesn't is killed after 20 seconds.
  static int status_of(pid_t child) {
    int state = 0;
    for (int waited = 0; ::waitpid(child, &state, WNOHANG) == 0; ++waited) {
      ::usleep(1000);
      if (waited == 20000) ::kill(child, SIGKILL);
    }
    return WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
  }
};

TEST_F(Signals, ResultsAreAllThereOrNone) {
  std::mt19937 random(7);
  for (int n = 0; n < kFiles; ++n) write("result" + std::to_string(n), "-2");
  for (int trial = 0; trial < 20; ++trial) {
    const int number = std::array{SIGINT, SIGTERM, SIGHUP}[random() % 3];
    const pid_t child = fork_and([this] { write_for_ever(); });
    ASSERT_GT(child, 0);
    ::usleep(static_cast<useconds_t>(2000 + random() % 40000));
    ::kill(child, number);
    ASSERT_EQ(status_of(child), 128 + number);
    ASSERT_NE(common_round(), -1) << "trial " << trial;
    ASSERT_EQ(names_in_folder().size(), static_cast<std::size_t>(kFiles)) << "trial " << trial;
  }
}

TEST_F(Signals, EndTheProcessAtOnceOnAnyThreadWhereNothingIsHeld) {
  for (int number : {SIGINT, SIGTERM, SIGHUP}) {
    const pid_t child = fork_and([] {
      end_on_signals();
      {
        const SignalsHeld held;
      }
      // The main thread takes none, so that another one gets it.
      std::thread other([] { ::pause(); });
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      other.join();
      std::exit(1);
    });
    ASSERT_GT(child, 0);
    ::usleep(50000);
    ::kill(child, number);
    EXPECT_EQ(status_of(child), 128 + number);
  }
}

TEST_F(Signals, ThoseThatAreIgnoredStayIgnored) {
  const pid_t child = fork_and([] {
    ::signal(SIGINT, SIG_IGN);  // as nohup and shells' background jobs begin
    end_on_signals();
    ::raise(SIGINT);
    std::_Exit(0);
  });
  ASSERT_GT(child, 0);
  EXPECT_EQ(status_of(child), 0);
}

}  // namespace
}  // namespace foveal::cli
