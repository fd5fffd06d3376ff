#include "core/memory.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <limits>

#include "core/container.h"

namespace foveal {

std::uint64_t usable_memory_by(const std::string& root) {
  std::uint64_t bytes = std::numeric_limits<std::int64_t>::max();
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_size = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_size > 0) bytes = static_cast<std::uint64_t>(pages) * page_size;
  return std::min(bytes, container_limits(root).memory.value_or(bytes));
}

std::uint64_t usable_memory() {
  static std::atomic<std::uint64_t> known{0};  // no lock: a fork may come at any time
  std::uint64_t bytes = known.load();
  if (bytes == 0) known = bytes = usable_memory_by("");
  return bytes;
}

}  // namespace foveal
