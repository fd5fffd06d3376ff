#include "core/container.h"

#include <algorithm>
#include <fstream>
#include <locale>
#include <sstream>
#include <vector>

namespace foveal {
namespace {

/// The numbers at the start of a file; fewer where a word like "max" stands instead.
std::vector<double> numbers_in(const std::string& path) {
  std::ifstream file(path);
  file.imbue(std::locale::classic());  // the host's may have spaces within numbers
  std::vector<double> numbers;
  for (double number = 0; file >> number;) numbers.push_back(number);
  return numbers;
}

template <class T>
void lower(std::optional<T>& limit, T other) {
  limit = limit ? std::min(*limit, other) : other;
}

/// Version 2 writes "QUOTA PERIOD" in one file, version 1 each in a file of its own.
void add_cpus(ContainerLimits& limits, const std::vector<double>& quota_and_period) {
  if (quota_and_period.size() != 2) return;
  const double quota = quota_and_period[0], period = quota_and_period[1];
  if (quota > 0 && period > 0) lower(limits.cpus, quota / period);  // -1: none
}

/// Version 1 writes about 2^63 for none. No process runs in 0 bytes: that isn't ours.
void add_memory(ContainerLimits& limits, const std::vector<double>& bytes) {
  if (bytes.empty() || bytes[0] < 1 || bytes[0] >= 0x1p62) return;
  lower(limits.memory, static_cast<std::uint64_t>(bytes[0]));
}

/// The limits that one folder of a hierarchy holds; one without limits has none of the files.
void add_folder(ContainerLimits& limits, const std::string& folder) {
  add_memory(limits, numbers_in(folder + "/memory.max"));
  add_memory(limits, numbers_in(folder + "/memory.limit_in_bytes"));
  add_cpus(limits, numbers_in(folder + "/cpu.max"));
  std::vector<double> quota = numbers_in(folder + "/cpu.cfs_quota_us");
  const std::vector<double> period = numbers_in(folder + "/cpu.cfs_period_us");
  quota.insert(quota.end(), period.begin(), period.end());
  add_cpus(limits, quota);
}

/// The group and all around it. In a container the path may be that of the host, where its folder
/// isn't to be seen: then the top folder is the group's own.
void add_group(ContainerLimits& limits, const std::string& top, std::string path) {
  while (path.size() > 1) {
    add_folder(limits, top + path);
    path.erase(path.rfind('/'));
  }
  add_folder(limits, top);
}

}  // namespace

ContainerLimits container_limits(const std::string& root) {
  ContainerLimits limits;
  const std::string mounted = root + "/sys/fs/cgroup";
  std::ifstream groups(root + "/proc/self/cgroup");
  // "0::/path", or of version 1 "7:cpu,cpuacct:/path".
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path.empty() || path[0] != '/' || path.find("/..") != std::string::npos) path = "/";
    if (controllers.empty()) {
      add_group(limits, mounted, path);
      add_group(limits, mounted + "/unified", path);  // beside version 1
      continue;
    }
    add_group(limits, mounted + "/" + controllers, path);
    std::istringstream names(controllers);
    for (std::string name; std::getline(names, name, ',');) {
      if (name != controllers) add_group(limits, mounted + "/" + name, path);
    }
  }
  return limits;
}

}  // namespace foveal
