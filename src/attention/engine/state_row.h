#pragma once
// One row of a state: O times l, m and l.

#include <cmath>
#include <cstdint>
#include <limits>

namespace foveal {

/// Writes `size` numbers of O times l, which whole(d) gives in float64, and m and l. Where one is
/// too large for T, O itself, with m + ln l for m and 1 for l: the same state.
template <class T, class Whole>
void write_state_row(const Whole& whole, std::int64_t size, double m, double l, T* output,
                     T& maximum, T& sum) {
  constexpr double kMost = std::numeric_limits<T>::max();
  bool holds = true;
  for (std::int64_t d = 0; d < size; ++d) holds = holds && !(std::fabs(whole(d)) > kMost);
  const bool divides = !holds && std::isfinite(l);
  for (std::int64_t d = 0; d < size; ++d) {
    output[d] = static_cast<T>(divides ? whole(d) / l : whole(d));
  }
  maximum = static_cast<T>(divides ? m + std::log(l) : m);
  sum = static_cast<T>(divides ? 1 : l);
}

}  // namespace foveal
