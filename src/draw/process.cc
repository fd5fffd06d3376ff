#include "draw/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "foveal/error.h"

extern char** environ;  // NOLINT: POSIX asks the program to declare it.

namespace foveal::draw {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& program, const std::string& what) {
  throw Error(program + ": " + what, ErrorKind::internal);
}

class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }
  bool open() const { return value_ >= 0; }
  void set(int value) {
    close();
    value_ = value;
  }
  void close() {
    if (value_ >= 0) ::close(value_);
    value_ = -1;
  }

 private:
  int value_;
};

// Sockets, not pipes: send() can be told not to raise SIGPIPE when the program stops reading.
struct Channel {
  Descriptor ours, theirs;
  explicit Channel(const std::string& program) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      fail(program, std::strerror(errno));
    }
    ours.set(ends[0]);
    theirs.set(ends[1]);
    fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  }
};

struct Channels {
  Channel input, output, errors;
  explicit Channels(const std::string& program)
      : input(program), output(program), errors(program) {}
};

// The child, reaped (and killed if it still runs) when this goes.
class Child {
 public:
  explicit Child(pid_t id) : id_(id) {}
  ~Child() {
    if (id_ > 0) {
      kill(id_, SIGKILL);
      wait();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  int wait() {
    int status = 0;
    while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t id_;
};

// 0 where there is no such program.
pid_t spawn(const std::vector<std::string>& arguments, const Channels& channels) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, channels.input.theirs.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, channels.output.theirs.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, channels.errors.theirs.get(), STDERR_FILENO);
  pid_t id = 0;
  const int error = posix_spawnp(&id, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return 0;
  if (error != 0) fail(arguments[0], std::strerror(error));
  return id;
}

// Sends what the program takes; closes once all is sent, or when it stops listening.
void feed(Descriptor& to, const std::string& input, std::size_t& sent) {
  const ssize_t count = send(to.get(), input.data() + sent, input.size() - sent, MSG_NOSIGNAL);
  if (count > 0) sent += static_cast<std::size_t>(count);
  const bool broken = count < 0 && errno != EAGAIN && errno != EINTR;
  if (broken || sent == input.size()) to.close();
}

void collect(Descriptor& from, std::string& into) {
  std::array<char, 65536> buffer{};
  const ssize_t count = recv(from.get(), buffer.data(), buffer.size(), 0);
  if (count > 0) {
    into.append(buffer.data(), static_cast<std::size_t>(count));
  } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
    from.close();
  }
}

// Reads and writes whatever is ready, so that neither side waits for the other.
void exchange(Channels& channels, const std::string& input, Clock::time_point end,
              const std::string& program, Finished& finished) {
  Descriptor& in = channels.input.ours;
  Descriptor& out = channels.output.ours;
  Descriptor& errors = channels.errors.ours;
  std::size_t sent = 0;
  if (input.empty()) in.close();
  while (out.open() || errors.open()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) fail(program, "took too long and was stopped");
    std::array<pollfd, 3> ready{
        {{in.get(), POLLOUT, 0}, {out.get(), POLLIN, 0}, {errors.get(), POLLIN, 0}}};
    if (poll(ready.data(), ready.size(), static_cast<int>(left.count())) < 0 && errno != EINTR) {
      fail(program, std::strerror(errno));
    }
    if (in.open() && ready[0].revents != 0) feed(in, input, sent);
    if (out.open() && ready[1].revents != 0) collect(out, finished.output);
    if (errors.open() && ready[2].revents != 0) collect(errors, finished.errors);
  }
}

}  // namespace

Finished run_program(const std::vector<std::string>& arguments, const std::string& input,
                     std::chrono::milliseconds limit) {
  const Clock::time_point end = Clock::now() + limit;
  Channels channels(arguments[0]);
  const pid_t id = spawn(arguments, channels);
  Finished finished;
  if (id == 0) {
    finished.found = false;
    return finished;
  }
  Child child(id);
  channels.input.theirs.close();
  channels.output.theirs.close();
  channels.errors.theirs.close();
  exchange(channels, input, end, arguments[0], finished);
  finished.status = child.wait();
  return finished;
}

}  // namespace foveal::draw
