#pragma once
// Whether two tensors hold the same numbers to the bit, NaN and the sign of zero too.

#include <cstring>
#include <vector>

#include "foveal/tensor.h"

namespace foveal {

inline bool same_bits(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector(), y = b.to_vector();
  if (a.shape() != b.shape()) return false;
  return x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0;
}

}  // namespace foveal
