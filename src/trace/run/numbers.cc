// How numbers are shown: the same in every view.

#include <fmt/format.h>

#include <cmath>

#include "trace/run/arithmetic.h"

namespace foveal::trace {
namespace {

/// From here on digits would only fill the line: 1.2346e+10.
double longest_plain(int decimals) { return decimals == 0 ? 1e15 : 1e10; }

}  // namespace

std::string show(double value, int decimals) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "−∞" : "∞";
  if (std::abs(value) >= longest_plain(decimals)) return fmt::format("{:.4e}", value);
  if (value == 0) value = 0;  // not -0
  return fmt::format("{:.{}f}", value, decimals);
}

int shown_decimals(const Tensor& data) {
  if (data.dtype() == DType::boolean || data.dtype() == DType::int64) return 0;
  const Tensor dense = data.contiguous().to(DType::float64);
  const double* numbers = dense.data<double>();
  for (std::int64_t i = 0; i < dense.element_count(); ++i) {
    if (std::isfinite(numbers[i]) && std::trunc(numbers[i]) != numbers[i]) return 4;
  }
  return 0;
}

}  // namespace foveal::trace
