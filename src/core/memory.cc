#include "core/memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>

namespace foveal {

std::uint64_t usable_memory() {
  std::uint64_t bytes = std::numeric_limits<std::uint64_t>::max();
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_size = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_size > 0) bytes = static_cast<std::uint64_t>(pages) * page_size;
  // Without a limit the file holds the word "max", or isn't there.
  std::uint64_t limit = 0;
  std::ifstream group("/sys/fs/cgroup/memory.max");
  if (group >> limit) bytes = std::min(bytes, limit);
  return bytes;
}

}  // namespace foveal
