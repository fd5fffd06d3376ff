// What explain writes to a terminal: as wide as that is, and in colour.

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <array>
#include <cstdlib>

#include "cli/command.h"
#include "draw/terminal.h"

namespace foveal {
namespace {

class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  ~Variable() { old_.empty() ? unsetenv(name_) : setenv(name_, old_.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string old_;
};

class Terminal : public CommandTest {
 protected:
  /// What `arguments` write to a terminal of so many columns.
  std::string on_terminal(unsigned short columns, const std::vector<std::string>& arguments) const {
    const int ours = posix_openpt(O_RDWR | O_NOCTTY);
    EXPECT_TRUE(ours >= 0 && grantpt(ours) == 0 && unlockpt(ours) == 0);
    const std::string name = ptsname(ours);
    const int theirs = open(name.c_str(), O_RDWR | O_NOCTTY);
    const winsize size{50, columns, 0, 0};
    EXPECT_EQ(ioctl(ours, TIOCSWINSZ, &size), 0);
    const pid_t child = start(arguments, name);
    std::string text;
    for (bool ended = false; child > 0;) {
      pollfd ready{ours, POLLIN, 0};
      std::array<char, 4096> bytes{};
      if (poll(&ready, 1, 20) > 0) {
        text.append(bytes.data(), static_cast<std::size_t>(read_some(ours, bytes)));
      } else if (ended) {
        break;
      } else {
        ended = waitpid(child, nullptr, WNOHANG) == child;
      }
    }
    close(theirs);
    close(ours);
    return text;
  }

  static ssize_t read_some(int descriptor, std::array<char, 4096>& bytes) {
    return std::max<ssize_t>(0, ::read(descriptor, bytes.data(), bytes.size()));
  }

  /// Without colours and what a terminal adds to the ends of lines.
  static std::vector<std::string> lines_of(std::string text) {
    for (std::size_t at = 0; (at = text.find('\x1b')) != std::string::npos;) {
      text.erase(at, text.find('m', at) - at + 1);
    }
    std::erase(text, '\r');
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

  static int widest(const std::vector<std::string>& lines) {
    int width = 0;
    for (const std::string& line : lines) width = std::max(width, draw::terminal::width(line));
    return width;
  }

  /// Sixteen tokens: their scores take more than 80 columns.
  std::string wide_input() const {
    std::string rows;
    for (int i = 0; i < 16; ++i) rows += fmt::format("{}[{}, -{}.25]", i == 0 ? "" : ",", i, i);
    return write("wide.json", "{\"inputs\": [" + rows + "]}");
  }
};

TEST_F(Terminal, TextIsAsWideAsTheTerminalFrom80To160) {
  const Variable columns("COLUMNS", nullptr);
  const std::string file = wide_input();
  const auto width_on = [&](unsigned short width) {
    return widest(lines_of(on_terminal(width, {"explain", file})));
  };
  const int at_120 = width_on(120);
  EXPECT_GT(at_120, 100);
  EXPECT_LE(at_120, 120);
  EXPECT_GT(width_on(160), 140);
  EXPECT_LE(width_on(300), 160);
  EXPECT_LE(width_on(40), 80);
  EXPECT_GT(width_on(40), 60);
  EXPECT_LE(width_on(0), 80);  // a terminal that doesn't know
}

TEST_F(Terminal, ColumnsIsHeard) {
  const std::string file = wide_input();
  const auto width_with = [&](const char* asked) {
    const Variable columns("COLUMNS", asked);
    return widest(lines_of(on_terminal(80, {"explain", file})));
  };
  EXPECT_GT(width_with("130"), 110);
  EXPECT_LE(width_with("130"), 130);
  for (const char* nonsense : {"", "wide", "-5", "0", "99999999999999999999"}) {
    EXPECT_LE(width_with(nonsense), 80) << nonsense;
  }
}

TEST_F(Terminal, ElsewhereTextIs80Wide) {
  const Variable columns("COLUMNS", "140");
  const std::string file = wide_input();
  EXPECT_LE(widest(lines_of(run({"explain", file}).out)), 80);
  EXPECT_EQ(run({"explain", file, "--out", path("out.txt")}).status, 0);
  EXPECT_LE(widest(lines_of(read(path("out.txt")))), 80);
}

TEST_F(Terminal, ColourIsForTerminalsWithoutNoColor) {
  {
    const Variable no_colour("NO_COLOR", nullptr);
    EXPECT_NE(on_terminal(80, {"explain"}).find("\x1b[1;33m→ 0 The"), std::string::npos);
  }
  const Variable no_colour("NO_COLOR", "1");
  EXPECT_EQ(on_terminal(80, {"explain"}).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace foveal
