#pragma once
// Times, and what is reported of many.

#include <cstdint>
#include <vector>

namespace foveal::measure {

/// Seconds of a clock that never goes back.
double now();

struct Summary {
  std::int64_t repeats = 0;
  double median = 0;
  double spread = 0;  ///< interquartile range
};

/// Of at least one sample. Quantiles lie between two samples in proportion.
Summary summarize(std::vector<double> samples);

}  // namespace foveal::measure
