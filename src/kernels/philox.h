#pragma once
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).

#include "kernels/forward_task.h"

namespace foveal {
namespace {

/// Turns a counter into the key's four words.
inline void philox(uint64_t key, uint32_t (&words)[4]) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * words[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * words[2];
    words[0] = static_cast<uint32_t>(product1 >> 32) ^ words[1] ^ k0;
    words[1] = static_cast<uint32_t>(product1);
    words[2] = static_cast<uint32_t>(product0 >> 32) ^ words[3] ^ k1;
    words[3] = static_cast<uint32_t>(product0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

/// The key of a seed: itself while the offset has 32 bits, as many as the counter has room for.
/// Beyond, each of the offset's upper halves has a key of its own.
inline uint64_t dropout_key(uint64_t seed, uint64_t offset) {
  if (offset >> 32 == 0) return seed;
  uint32_t words[4] = {static_cast<uint32_t>(offset >> 32), 0, 0, 0xFFFFFFFF};
  philox(seed, words);
  return words[0] | static_cast<uint64_t>(words[1]) << 32;
}

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
  uint32_t words[4] = {static_cast<uint32_t>(group), static_cast<uint32_t>(i),
                       static_cast<uint32_t>(dropout.head), static_cast<uint32_t>(dropout.offset)};
  philox(dropout.key, words);
  for (int n = 0; n < 4; ++n) factor[n] = words[n] >= dropout.threshold ? dropout.scale : 0;
}

}  // namespace
}  // namespace foveal
