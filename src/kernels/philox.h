#pragma once
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).

#include "kernels/forward_task.h"

namespace foveal {
namespace {

/// The factors that a mask gives.
inline void kept_factors(const DropoutCounter& dropout, int64_t group, int64_t i,
                         double (&factor)[4]) {
  for (int64_t n = 0; n < 4; ++n) {
    const int64_t j = 4 * group + n;  // a tile's lanes go on past the last query and key
    const bool there = i < dropout.query_length && j < dropout.key_length;
    // A byte, since foreign memory may hold others than 0 and 1.
    const bool kept =
        there &&
        reinterpret_cast<const unsigned char*>(
            dropout.kept)[i * dropout.kept_query_stride + j * dropout.kept_key_stride] != 0;
    factor[n] = kept ? dropout.scale : 0;
  }
}

/// The factors of dropout (0 or 1 / (1 - p)) that query i has for keys 4 * group .. + 3.
inline void dropout_factors(const DropoutCounter& dropout, int64_t group, int64_t i,
                            double (&factor)[4]) {
  if (dropout.kept != nullptr) return kept_factors(dropout, group, i, factor);
  uint32_t c0 = static_cast<uint32_t>(group), c1 = static_cast<uint32_t>(i);
  uint32_t c2 = static_cast<uint32_t>(dropout.head), c3 = static_cast<uint32_t>(dropout.offset);
  uint32_t k0 = static_cast<uint32_t>(dropout.seed);
  uint32_t k1 = static_cast<uint32_t>(dropout.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * c0, product1 = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(product1);
    c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(product0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  const uint32_t words[4] = {c0, c1, c2, c3};
  for (int n = 0; n < 4; ++n) factor[n] = words[n] >= dropout.threshold ? dropout.scale : 0;
}

}  // namespace
}  // namespace foveal
