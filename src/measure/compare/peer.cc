#include "measure/compare/peer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "foveal/error.h"
#include "foveal/safetensors.h"
#include "io/safetensors_header.h"
#include "measure/compare/torch_peer.h"

extern char** environ;  // NOLINT: POSIX asks the program to declare it.

namespace foveal::measure {
namespace {

/// The group of the Python that runs, which is its process id; 0: none.
std::atomic<pid_t> running{0};
static_assert(std::atomic<pid_t>::is_always_lock_free, "a signal handler may not wait for a lock");

/// The program in a group of its own, so that it ends with what it starts: a Ctrl-C in the terminal
/// reaches this process alone. Gives what errno would be.
int spawn_group(const char* program, const char* const* arguments,
                const posix_spawn_file_actions_t& actions, pid_t& child) {
  // A parent may leave it ignored: then a child that ends is gone, and its status with it.
  if (struct sigaction child_ends{};
      sigaction(SIGCHLD, nullptr, &child_ends) == 0 && child_ends.sa_handler == SIG_IGN) {
    std::signal(SIGCHLD, SIG_DFL);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int error = posix_spawnp(&child, program, &actions, &attributes,
                                 const_cast<char* const*>(arguments), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) child = 0;
  running = child;
  return error;
}

[[noreturn]] void fail(const std::string& what) {
  throw Error("compare: " + what, ErrorKind::file);
}

/// The last line that isn't empty.
std::string last_line(std::FILE* file) {
  std::rewind(file);
  std::string last;
  std::array<char, 4096> line{};
  while (std::fgets(line.data(), line.size(), file) != nullptr) {
    std::string text(line.data());
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    if (!text.empty()) last = text;
  }
  return last;
}

}  // namespace

void kill_peer() noexcept {
  const pid_t group = running.load();
  if (group > 0) ::kill(-group, SIGKILL);
}

/// The Python: bytes to its standard input and from its standard output, by one socket.
struct Peer::Process {
  explicit Process(const std::string& program) : program_(program), errors_(std::tmpfile()) {
    std::array<int, 2> ends{};
    if (errors_ == nullptr ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      fail(std::strerror(errno));
    }
    socket_ = ends[0];
    const std::string script(kTorchPeer);
    const std::array<const char*, 4> arguments = {program.c_str(), "-c", script.c_str(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(errors_), STDERR_FILENO);
    const int error = spawn_group(program.c_str(), arguments.data(), actions, child_);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error == 0) return;
    release();
    fail("'" + program + "' can't be run (" + std::strerror(error) +
         "): name a Python with --python or FOVEAL_PYTHON");
  }
  ~Process() { release(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(const std::string& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) ended();
      sent += static_cast<std::size_t>(count);
    }
  }

  std::string line() {
    for (std::size_t end; (end = waiting_.find('\n')) == std::string::npos;) receive();
    const std::size_t end = waiting_.find('\n');
    const std::string text = waiting_.substr(0, end);
    waiting_.erase(0, end + 1);
    return text;
  }

  std::string bytes(std::size_t count) {
    while (waiting_.size() < count) receive();
    const std::string data = waiting_.substr(0, count);
    waiting_.erase(0, count);
    return data;
  }

 private:
  void receive() {
    // What the Python started may hold the other end open after it.
    pollfd ready{socket_, POLLIN, 0};
    for (bool over = false; poll(&ready, 1, 200) == 0; over = has_ended()) {
      if (over) ended();
    }
    std::array<char, 65536> buffer{};
    const ssize_t count = recv(socket_, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) return;
    if (count <= 0) ended();
    waiting_.append(buffer.data(), static_cast<std::size_t>(count));
  }

  /// The Python ended although it was asked something.
  [[noreturn]] void ended() {
    const int status = reap();
    const std::string how = WIFSIGNALED(status)
                                ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                : fmt::format("ended with status {}", WEXITSTATUS(status));
    const std::string said = last_line(errors_);
    fail("'" + program_ + "' " + how +
         (said.empty() ? ": name a Python with PyTorch with --python" : ": " + said));
  }

  /// Its number stays its own until reap().
  bool has_ended() const {
    siginfo_t info{};
    const int failed = waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOWAIT | WNOHANG);
    return failed != 0 || info.si_pid != 0;
  }

  /// Gives the Python two seconds to end, and ends it and what it has left running. Gives its
  /// status.
  int reap() {
    for (int waited = 0; waited < 2000 && !has_ended(); ++waited) usleep(1000);
    ::kill(-child_, SIGKILL);
    running = 0;
    int status = 0;
    while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    child_ = 0;
    return status;
  }

  void release() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
    if (child_ > 0) {
      ::kill(-child_, SIGKILL);
      reap();
    }
    if (errors_ != nullptr) std::fclose(errors_);
    errors_ = nullptr;
  }

  std::string program_;
  std::FILE* errors_;  // what the Python says of errors; has no name
  int socket_ = -1;
  pid_t child_ = 0;
  std::string waiting_;
};

namespace {

/// One line of the Python's. Throws Error (kind file) where it says something else than
/// torch_peer.py does.
nlohmann::json reply_of(const std::string& line, const std::string& python) {
  const nlohmann::json said = nlohmann::json::parse(line, nullptr, false);
  if (said.is_object() && said.contains("bytes") && said["bytes"].is_number_unsigned()) return said;
  fail("'" + python + "' doesn't answer as a Python with PyTorch does: name one with --python");
}

std::string first_message(const CompareSettings& settings, const CompareInputs& inputs,
                          int threads) {
  const nn::variants::Weights weights = inputs.chapter->weights();
  const std::string data = safetensors_bytes({{"x", inputs.x},
                                              {"grad", inputs.grad},
                                              {"query", weights.query},
                                              {"key", weights.key},
                                              {"value", weights.value},
                                              {"out", weights.out},
                                              {"out_bias", weights.out_bias}},
                                             {});
  return fmt::format(
             "{{\"width\": {}, \"heads\": {}, \"tokens\": {}, \"dtype\": \"{}\", \"threads\": {}, "
             "\"bytes\": {}}}\n",
             settings.width, settings.heads, settings.tokens, foveal::to_string(settings.dtype),
             threads, data.size()) +
         data;
}

}  // namespace

Peer::Peer(const CompareSettings& settings, const CompareInputs& inputs, int threads)
    : settings_(settings), process_(std::make_unique<Process>(settings.python)) {
  // A Python without PyTorch says so at once, and doesn't listen any more.
  const nlohmann::json hello = [&] {
    try {
      process_->send(first_message(settings, inputs, threads));
    } catch (const Error&) {
      process_ = std::make_unique<Process>(settings.python);
    }
    return reply_of(process_->line(), settings.python);
  }();
  if (hello.contains("missing")) {
    fail("'" + settings.python +
         "' has no PyTorch: install it with `pip install torch`, use `make compare WITH=torch`, or "
         "name another Python with --python");
  }
  if (hello.contains("broken")) {
    fail("the PyTorch of '" + settings.python +
         "' can't be imported: " + hello.value("broken", std::string()));
  }
  version_ = hello.value("version", std::string("?"));
}

Peer::~Peer() = default;

Peer::Reply Peer::ask(const std::string& question, const std::string& variant, bool compiled) {
  process_->send(question + " " + variant + (compiled ? " compiled\n" : " plain\n"));
  const nlohmann::json said = reply_of(process_->line(), settings_.python);
  Reply reply;
  reply.data = process_->bytes(said.at("bytes").get<std::size_t>());
  if (said.contains("failed")) reply.failed = said.at("failed").get<std::string>();
  if (said.contains("note")) reply.note = said.at("note").get<std::string>();
  if (said.contains("seconds")) reply.number = said.at("seconds").get<double>();
  if (said.contains("peak_bytes")) reply.number = said.at("peak_bytes").get<double>();
  if (said.contains("parameters")) reply.number = said.at("parameters").get<double>();
  return reply;
}

}  // namespace foveal::measure
