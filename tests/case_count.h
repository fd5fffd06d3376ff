#pragma once
// How many cases generated tests take.

#include <algorithm>
#include <cstdlib>

namespace foveal {

/// `percent` of FOVEAL_CASES, which is 300 where it isn't set; at least one.
inline unsigned case_count(unsigned percent) {
  const char* text = std::getenv("FOVEAL_CASES");
  const double cases = text == nullptr ? 300 : std::atof(text);
  return std::max(1U, static_cast<unsigned>(cases * percent / 100));
}

}  // namespace foveal
