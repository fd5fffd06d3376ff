#pragma once
// Runs the built command without a shell.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

extern char** environ;

namespace foveal {

struct Outcome {
  int status = -1;  ///< exit status, or 128 + signal
  std::string out, err;
};

/// A folder of its own for each test, removed after it.
class CommandTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "foveal-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::vector<std::string> names_in_folder() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  /// Standard output goes to `out`, a file in the folder unless it is given.
  Outcome run(const std::vector<std::string>& arguments, const std::string& out = "") const {
    return finish(start(arguments, out), out);
  }

  pid_t start(std::vector<std::string> arguments, const std::string& out = "") const {
    arguments.insert(arguments.begin(), FOVEAL_COMMAND);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string out_path = out.empty() ? capture("stdout") : out;
    const std::string err_path = capture("stderr");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path.c_str(), flags, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_path.c_str(), flags, 0600);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // A shell's background jobs begin with Ctrl-C ignored, and with them the tests.
    sigset_t ctrl_c;
    sigemptyset(&ctrl_c);
    sigaddset(&ctrl_c, SIGINT);
    posix_spawnattr_setsigdefault(&attributes, &ctrl_c);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    pid_t child = 0;
    const int failure =
        posix_spawn(&child, FOVEAL_COMMAND, &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(failure, 0) << "can't run " << FOVEAL_COMMAND;
    return failure == 0 ? child : 0;
  }

  Outcome finish(pid_t child, const std::string& out = "") const {
    if (child == 0) return {};
    int state = 0;
    waitpid(child, &state, 0);
    Outcome outcome;
    outcome.status = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    if (out.empty()) outcome.out = read(capture("stdout"));
    outcome.err = read(capture("stderr"));
    std::filesystem::remove(capture("stdout"));
    std::filesystem::remove(capture("stderr"));
    return outcome;
  }

  /// The command must end with `status` and one line on standard error that holds each of `parts`.
  void expect_failure(const std::vector<std::string>& arguments, int status,
                      const std::vector<std::string>& parts) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    ASSERT_FALSE(outcome.err.empty());
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
    for (const std::string& part : parts) {
      EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " is not in " << outcome.err;
    }
  }

 private:
  /// Captured output lies beside the test's folder, so that the folder shows what the command did.
  std::string capture(const char* name) const {
    return fmt::format("{}.{}", folder_.string(), name);
  }

  std::filesystem::path folder_;
};

}  // namespace foveal
