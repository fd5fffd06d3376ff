#include "measure/clock.h"

#include <algorithm>
#include <chrono>

namespace foveal::measure {
namespace {

double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below));
}

}  // namespace

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Summary summarize(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {static_cast<std::int64_t>(samples.size()), quantile(samples, 0.5),
          quantile(samples, 0.75) - quantile(samples, 0.25)};
}

}  // namespace foveal::measure
