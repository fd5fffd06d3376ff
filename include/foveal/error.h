#pragma once
// The one exception type of the library.

#include <stdexcept>
#include <string>

#pragma GCC visibility push(default)
namespace foveal {

/// What kind of thing went wrong. The command turns it into its exit status.
enum class ErrorKind {
  usage,     ///< wrong by itself: an unknown option, a mask that doesn't parse (exit 2)
  data,      ///< a value, shape or dtype that breaks a rule (exit 3)
  file,      ///< a file that can't be opened, read or written (exit 4)
  internal,  ///< a broken promise of our own (exit 5)
  stopped,   ///< ended because the caller's `stop` said so (exit 130)
};

/// Thrown at the door of a public function. The message is one line that names the argument, its
/// shape or value, the rule, and the mend.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ErrorKind kind = ErrorKind::data)
      : std::runtime_error(message), kind_(kind) {}

  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace foveal
#pragma GCC visibility pop
