// What foveal/c.h says of the library itself.

#include <cstring>

#include "c/options.h"
#include "c/status.h"
#include "c/text.h"
#include "core/door.h"
#include "foveal/c.h"
#include "foveal/target.h"
#include "foveal/threads.h"
#include "foveal/version.h"

namespace foveal::c {

void give_text(std::string_view text, char* to, std::size_t size, std::size_t* length,
               const char* function) {
  if (length != nullptr) *length = text.size();
  if (size == 0) return;
  if (to == nullptr) {
    refuse(function,
           "text is NULL but size is " + std::to_string(size) + ": give the memory, or size 0");
  }
  if (size <= text.size()) {
    throw Error(std::string(function) + ": size is " + std::to_string(size) + " but " +
                std::to_string(text.size() + 1) +
                " bytes are needed, a 0 at the end included: ask for the length with size 0");
  }
  std::memcpy(to, text.data(), text.size());
  to[text.size()] = '\0';
}

}  // namespace foveal::c

// Functions of C stand outside namespaces.
using namespace foveal;     // NOLINT(google-build-using-namespace)
using namespace foveal::c;  // NOLINT(google-build-using-namespace)

uint32_t foveal_version(void) {
  constexpr uint32_t kPerMajor = 65536, kPerMinor = 256;
  return FOVEAL_VERSION_MAJOR * kPerMajor + FOVEAL_VERSION_MINOR * kPerMinor + FOVEAL_VERSION_PATCH;
}

const char* foveal_last_error(void) { return last_error(); }

int32_t foveal_options_init(foveal_options* options, size_t size) {
  return guarded([&] {
    if (options == nullptr) {
      refuse("foveal_options_init", "options is NULL: give a foveal_options");
    }
    if (size < kFirstOptionsSize) {
      throw Error(
          "foveal_options_init: size is " + std::to_string(size) + ": give sizeof(foveal_options)",
          ErrorKind::usage);
    }
    std::memset(options, 0, size);
    options->size = size;
  });
}

int32_t foveal_set_num_threads(int32_t count) {
  return guarded([count] { set_num_threads(count); });
}

int32_t foveal_targets(char* text, size_t size, size_t* length) {
  return guarded([&] {
    std::string lines;
    for (const std::string& name : targets()) lines += name + "\n";
    give_text(lines, text, size, length, "foveal_targets");
  });
}
