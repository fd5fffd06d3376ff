#include "io/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "foveal/error.h"

namespace foveal {
namespace {

namespace fs = std::filesystem;

/// A folder of the test's own, removed afterwards.
class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "foveal-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

template <class Function>
std::string message_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file);
    return error.what();
  }
  ADD_FAILURE() << "no Error was thrown";
  return "";
}

mode_t mode_of(const std::string& path) {
  struct stat status;
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 0777;
}

TEST_F(FileTest, ReadsWhatWasWritten) {
  std::string bytes;
  for (int i = 0; i < 3'000'000; ++i) bytes.push_back(static_cast<char>(i * 7 + i / 256));
  for (const std::string& content : {std::string(), std::string("a\0b\n", 4), bytes}) {
    write_file(path("f"), content);
    EXPECT_EQ(read_file(path("f")), content);
  }
  EXPECT_EQ(entries(), 1U);
}

TEST_F(FileTest, NewFileHasUsualPermissionsAndOldFileKeepsItsOwn) {
  const mode_t mask = ::umask(022);
  write_file(path("new"), "1");
  ::umask(mask);
  EXPECT_EQ(mode_of(path("new")), 0644U);
  ::chmod(path("new").c_str(), 0600);
  write_file(path("new"), "2");
  EXPECT_EQ(mode_of(path("new")), 0600U);
}

TEST_F(FileTest, LinkStaysLink) {
  write_file(path("target"), "old");
  fs::create_symlink("target", path("link"));
  write_file(path("link"), "new");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(read_file(path("target")), "new");
  fs::create_symlink("nowhere", path("dangling"));
  write_file(path("dangling"), "made");
  EXPECT_EQ(read_file(path("nowhere")), "made");
  fs::create_symlink("circle", path("circle"));
  EXPECT_NE(message_of([&] { write_file(path("circle"), "x"); }).find("links"), std::string::npos);
}

TEST_F(FileTest, NamesTheFileAndTheCause) {
  EXPECT_EQ(message_of([&] { read_file(path("missing")); }),
            "file '" + path("missing") + "' can't be opened: No such file or directory");
  const std::string folder = "file '" + folder_.string() + "' is a folder: give the name of a file";
  EXPECT_EQ(message_of([&] { read_file(folder_.string()); }), folder);
  EXPECT_EQ(message_of([&] { write_file(folder_.string(), "x"); }), folder);
  EXPECT_NE(message_of([&] { write_file(path("no/such/file"), "x"); }).find("No such"),
            std::string::npos);
  message_of([&] { read_file(""); });
  message_of([&] { write_file("", "x"); });
  message_of([&] { write_file(std::string("a\0b", 3), "x"); });
  message_of([&] { read_file("/dev/zero"); });
  EXPECT_EQ(entries(), 0U);
}

TEST_F(FileTest, LongNameLeavesRoomForTheTemporary) {
  const std::string name(255, 'n');
  write_file(path(name), "x");
  EXPECT_EQ(read_file(path(name)), "x");
}

TEST_F(FileTest, FailedWriteKeepsTheOldFile) {
  write_file(path("f"), "old");
  rlimit limit;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  rlimit small = limit;
  small.rlim_cur = 1000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = message_of([&] { write_file(path("f"), std::string(5000, 'x')); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_EQ(read_file(path("f")), "old");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(FileTest, FullDiskIsOneClearError) {
  EXPECT_EQ(message_of([&] { write_file("/dev/full", "x"); }),
            "file '/dev/full' can't be written: No space left on device");
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(FileTest, PipesAndDevicesAreWrittenDirectly) {
  write_file("/dev/null", "x");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  write_file("/dev/fd/" + std::to_string(ends[1]), "through");
  char received[8] = {};
  EXPECT_EQ(::read(ends[0], received, 7), 7);
  EXPECT_STREQ(received, "through");
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace foveal
