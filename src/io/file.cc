#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>

#include "foveal/error.h"

namespace foveal {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::size_t kStreamLimit = std::size_t{1} << 28;

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error("file '" + path + "' " + what, ErrorKind::file);
}

[[noreturn]] void fail_with_errno(const std::string& path, const std::string& what) {
  fail(path, what + ": " + std::generic_category().message(errno));
}

/// Closes the descriptor when it goes out of scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  /// Some file systems report a failed write only here.
  bool close() {
    const int number = number_;
    number_ = -1;
    return ::close(number) == 0;
  }

 private:
  int number_;
};

/// Removes the temporary file unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  bool rename_to(const std::string& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) return false;
    path_.clear();
    return true;
  }

 private:
  std::string path_;
};

int open_retrying(const std::string& path, int flags, mode_t mode = 0) {
  int number = -1;
  do {
    number = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (number < 0 && errno == EINTR);
  return number;
}

bool write_all(int descriptor, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written =
        ::write(descriptor, bytes.data() + done, std::min(bytes.size() - done, kPiece));
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  return true;
}

void check_path(const std::string& path, const std::string& verb) {
  if (path.empty()) fail(path, "can't be " + verb + ": the name is empty");
  if (path.find('\0') != std::string::npos) {
    fail(path.substr(0, path.find('\0')), "can't be " + verb + ": the name holds a zero byte");
  }
}

/// The name at the end of a chain of links, so that renaming replaces the target and not the link.
std::string follow_links(const std::string& path) {
  constexpr int kMostLinks = 40;
  std::filesystem::path target = path;
  std::error_code failure;
  for (int links = 0; std::filesystem::is_symlink(target, failure); ++links) {
    if (links == kMostLinks)
      fail(path, "can't be written: too many links lead on from one to next");
    target = target.parent_path() / std::filesystem::read_symlink(target, failure);
    if (failure) fail(path, "can't be written: " + failure.message());
  }
  return target.string();
}

/// True for names of open descriptors, which are written where they stand even if they are files.
bool names_descriptor(const std::string& path) {
  return path == "/dev/stdout" || path == "/dev/stderr" || path.rfind("/dev/fd/", 0) == 0 ||
         path.rfind("/proc/self/fd/", 0) == 0;
}

void write_directly(const std::string& path, std::string_view bytes) {
  Descriptor file(open_retrying(path, O_WRONLY | O_APPEND));
  if (!file.is_open()) fail_with_errno(path, "can't be opened for writing");
  if (!write_all(file.number(), bytes) || !file.close()) {
    fail_with_errno(path, "can't be written");
  }
}

/// A new file in target's folder with the usual permissions; its name is short so that a long
/// target's name leaves room.
int create_beside(const std::string& target, std::string* temporary) {
  static std::atomic<unsigned> counter{0};
  const std::filesystem::path folder = std::filesystem::path(target).parent_path();
  int number = -1;
  do {
    const std::string name =
        ".foveal-" + std::to_string(::getpid()) + "-" + std::to_string(counter++) + ".tmp";
    *temporary = (folder / name).string();
    number = open_retrying(*temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
  } while (number < 0 && errno == EEXIST);
  return number;
}

/// A file that is complete under its temporary name.
struct StagedFile {
  StagedFile(const std::string& name, const std::string& the_target)
      : temporary(name), target(the_target) {}

  TemporaryFile temporary;
  std::string target;
};

std::unique_ptr<StagedFile> stage(const FileContent& file, const struct stat* old) {
  const std::string& path = file.path;
  const std::string target = follow_links(path);
  std::string name;
  Descriptor descriptor(create_beside(target, &name));
  if (!descriptor.is_open()) {
    fail_with_errno(path, "can't be written: no new file can stand beside it");
  }
  auto staged = std::make_unique<StagedFile>(name, target);
  if (old != nullptr && ::fchmod(descriptor.number(), old->st_mode & 0777) != 0) {
    fail_with_errno(path, "can't be written: its permissions can't be kept");
  }
  if (!write_all(descriptor.number(), file.bytes) || ::fsync(descriptor.number()) != 0 ||
      !descriptor.close()) {
    fail_with_errno(path, "can't be written");
  }
  return staged;
}

/// Null for what is written where it stands: pipes, terminals, devices.
std::unique_ptr<StagedFile> prepare(const FileContent& file) {
  check_path(file.path, "written");
  struct stat status;
  const bool exists = ::stat(file.path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) fail(file.path, "is a folder: give the name of a file");
  if (exists && is_written_directly(file.path)) return nullptr;
  if (exists && ::access(file.path.c_str(), W_OK) != 0) {
    fail_with_errno(file.path, "can't be written");
  }
  return stage(file, exists ? &status : nullptr);
}

std::vector<std::unique_ptr<StagedFile>> prepare_all(const std::vector<FileContent>& files) {
  std::vector<std::unique_ptr<StagedFile>> staged;
  staged.reserve(files.size());
  for (const FileContent& file : files) staged.push_back(prepare(file));
  return staged;
}

}  // namespace

std::string read_file(const std::string& path) {
  check_path(path, "read");
  const Descriptor file(open_retrying(path, O_RDONLY));
  if (!file.is_open()) fail_with_errno(path, "can't be opened");
  struct stat status;
  if (::fstat(file.number(), &status) != 0) fail_with_errno(path, "can't be read");
  if (S_ISDIR(status.st_mode)) fail(path, "is a folder: give the name of a file");

  const bool is_stream = !S_ISREG(status.st_mode);
  std::string bytes;
  try {
    if (!is_stream) bytes.reserve(static_cast<std::size_t>(status.st_size));
    std::string chunk(kPiece, '\0');
    for (;;) {
      const ssize_t count = ::read(file.number(), chunk.data(), chunk.size());
      if (count == 0) return bytes;
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_with_errno(path, "can't be read");
      bytes.append(chunk, 0, static_cast<std::size_t>(count));
      if (is_stream && bytes.size() > kStreamLimit) {
        fail(path, "gives more than 256 MiB without an end: save it as a file first");
      }
    }
  } catch (const std::bad_alloc&) {
    fail(path, "does not fit in memory");
  } catch (const std::length_error&) {
    fail(path, "does not fit in memory");
  }
}

bool is_written_directly(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return false;
  return !S_ISREG(status.st_mode) || names_descriptor(path);
}

void write_file(const std::string& path, const std::string& bytes) { write_files({{path, bytes}}); }

void try_files(const std::vector<FileContent>& files) { prepare_all(files); }

void write_files(const std::vector<FileContent>& files) {
  const std::vector<std::unique_ptr<StagedFile>> staged = prepare_all(files);
  for (std::size_t n = 0; n < files.size(); ++n) {
    if (staged[n] == nullptr) {
      write_directly(files[n].path, files[n].bytes);
    } else if (!staged[n]->temporary.rename_to(staged[n]->target)) {
      fail_with_errno(files[n].path, "can't be replaced");
    }
  }
}

}  // namespace foveal
